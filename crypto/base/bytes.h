// Byte views and the cursors that every parser and encoder of cstl is built from.
//
// Bytes and MutBytes borrow; they own nothing. Reader is total: any input gives a value or an Error, it never reads
// outside its view, never allocates and never recurses. Limits are compared with what remains, never added to an
// offset. Writer fills a buffer of the caller; the first overflow makes every later call, and finish(), fail.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace cstl {

class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  Bytes(std::string_view text)                                             // NOLINT: implicit on purpose
      : data_(reinterpret_cast<const uint8_t*>(text.data())), size_(text.size()) {}
  Bytes(const char* text) : Bytes(std::string_view(text)) {}               // NOLINT
  Bytes(const std::string& text) : Bytes(std::string_view(text)) {}        // NOLINT
  Bytes(const std::vector<uint8_t>& v) : data_(v.data()), size_(v.size()) {}  // NOLINT
  template <size_t N>
  constexpr Bytes(const std::array<uint8_t, N>& a) : data_(a.data()), size_(N) {}  // NOLINT

  constexpr const uint8_t* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const uint8_t* begin() const { return data_; }
  constexpr const uint8_t* end() const { return data_ + size_; }
  constexpr uint8_t operator[](size_t i) const { return i < size_ ? data_[i] : (trap("bytes.index"), uint8_t{0}); }

  // At most `n` bytes from the start, or all but the first `n` (empty when n is beyond the end).
  constexpr Bytes first(size_t n) const { return Bytes(data_, n < size_ ? n : size_); }
  constexpr Bytes skip(size_t n) const { return n < size_ ? Bytes(data_ + n, size_ - n) : Bytes(); }

  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  std::vector<uint8_t> copy() const { return std::vector<uint8_t>(begin(), end()); }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Plain comparison, for public data only; secrets use ct_equal (crypto/base/secret.h).
inline bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

class MutBytes {
 public:
  constexpr MutBytes() = default;
  constexpr MutBytes(uint8_t* data, size_t size) : data_(data), size_(size) {}
  MutBytes(std::vector<uint8_t>& v) : data_(v.data()), size_(v.size()) {}  // NOLINT: implicit on purpose
  template <size_t N>
  constexpr MutBytes(std::array<uint8_t, N>& a) : data_(a.data()), size_(N) {}  // NOLINT

  constexpr uint8_t* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr operator Bytes() const { return Bytes(data_, size_); }         // NOLINT

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

using Digest32 = std::array<uint8_t, 32>;  // a SHA-256 value, a nonce, a clusterID: public 32-byte values
using Uuid = std::array<uint8_t, 16>;      // RFC 9562 UUID in network order

// Lower-case hexadecimal. from_hex accepts either case and nothing else: bad_value, or too_long beyond out.size();
// the text must fill `out` exactly.
std::string to_hex(Bytes data);
Status from_hex(std::string_view text, MutBytes out);

// "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", lower case; parse_uuid accepts exactly that form. Errors: bad_value.
std::string uuid_text(const Uuid& uuid);
Result<Uuid> parse_uuid(std::string_view text);

class Reader {
 public:
  explicit Reader(Bytes data) : data_(data) {}

  size_t remaining() const { return data_.size(); }
  Bytes rest() const { return data_; }

  // Errors: truncated.
  Result<uint8_t> u8();
  Result<uint16_t> u16();    // big endian
  Result<uint32_t> u32();
  Result<uint64_t> u64();
  Result<uint16_t> u16le();  // little endian, for firmware and disk structures
  Result<uint32_t> u32le();
  Result<uint64_t> u64le();
  Result<Bytes> bytes(size_t n);
  template <size_t N>
  Result<std::array<uint8_t, N>> fixed() {
    TRY_LET(Bytes view, bytes(N));
    std::array<uint8_t, N> out;
    std::memcpy(out.data(), view.data(), N);
    return out;
  }

  // A length field of that many bits (big endian), then the bytes. Errors: truncated, too_long (length > max).
  Result<Bytes> bytes8(size_t max);
  Result<Bytes> bytes16(size_t max);
  Result<Bytes> bytes32(size_t max);

  // Errors: trailing, if anything is left.
  Status finish() const;

 private:
  template <typename T>
  Result<T> big();
  template <typename T>
  Result<T> little();
  Bytes data_;
};

class Writer {
 public:
  explicit Writer(MutBytes out) : out_(out) {}

  void u8(uint8_t v);
  void u16(uint16_t v);
  void u32(uint32_t v);
  void u64(uint64_t v);
  void bytes(Bytes v);
  void bytes8(Bytes v);   // length prefix; fails if v does not fit the prefix
  void bytes16(Bytes v);
  void bytes32(Bytes v);

  // What was written, borrowed from the buffer. Errors: too_long if anything did not fit.
  Result<Bytes> finish() const;

 private:
  void put(const void* data, size_t n);
  MutBytes out_;
  size_t used_ = 0;
  bool overflow_ = false;
};

}  // namespace cstl
