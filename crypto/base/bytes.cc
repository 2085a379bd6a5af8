#include "crypto/base/bytes.h"

namespace cstl {

namespace {
constexpr char kHex[] = "0123456789abcdef";

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
constexpr size_t kUuidText = 36;
bool uuid_dash(size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }
}  // namespace

std::string to_hex(Bytes data) {
  std::string out;
  out.reserve(data.size() * 2);
  for (uint8_t byte : data) {
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

Status from_hex(std::string_view text, MutBytes out) {
  if (text.size() / 2 > out.size()) return fail(Code::too_long, "hex.length");
  if (text.size() != out.size() * 2) return fail(Code::bad_value, "hex.length");
  for (size_t i = 0; i < out.size(); ++i) {
    int high = nibble(text[2 * i]);
    int low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return fail(Code::bad_value, "hex.digit");
    out.data()[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return success();
}

std::string uuid_text(const Uuid& uuid) {
  std::string hex = to_hex(uuid);
  std::string out;
  for (char c : hex) {
    if (uuid_dash(out.size())) out.push_back('-');
    out.push_back(c);
  }
  return out;
}

Result<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != kUuidText) return fail(Code::bad_value, "uuid.length");
  std::string hex;
  for (size_t i = 0; i < text.size(); ++i) {
    if (uuid_dash(i) != (text[i] == '-')) return fail(Code::bad_value, "uuid.dash");
    if (text[i] >= 'A' && text[i] <= 'F') return fail(Code::bad_value, "uuid.case");
    if (text[i] != '-') hex.push_back(text[i]);
  }
  Uuid out;
  TRY(from_hex(hex, out));
  return out;
}

template <typename T>
Result<T> Reader::big() {
  TRY_LET(Bytes raw, bytes(sizeof(T)));
  T value = 0;
  for (uint8_t byte : raw) value = static_cast<T>(static_cast<uint64_t>(value) << 8 | byte);
  return value;
}

template <typename T>
Result<T> Reader::little() {
  TRY_LET(Bytes raw, bytes(sizeof(T)));
  T value = 0;
  for (size_t i = sizeof(T); i > 0; --i) value = static_cast<T>(static_cast<uint64_t>(value) << 8 | raw[i - 1]);
  return value;
}

Result<uint8_t> Reader::u8() { return big<uint8_t>(); }
Result<uint16_t> Reader::u16() { return big<uint16_t>(); }
Result<uint32_t> Reader::u32() { return big<uint32_t>(); }
Result<uint64_t> Reader::u64() { return big<uint64_t>(); }
Result<uint16_t> Reader::u16le() { return little<uint16_t>(); }
Result<uint32_t> Reader::u32le() { return little<uint32_t>(); }
Result<uint64_t> Reader::u64le() { return little<uint64_t>(); }

Result<Bytes> Reader::bytes(size_t n) {
  if (n > data_.size()) return fail(Code::truncated, "reader.bytes");
  Bytes out = data_.first(n);
  data_ = data_.skip(n);
  return out;
}

Result<Bytes> Reader::bytes8(size_t max) {
  TRY_LET(uint8_t n, u8());
  if (n > max) return fail(Code::too_long, "reader.bytes8");
  return bytes(n);
}

Result<Bytes> Reader::bytes16(size_t max) {
  TRY_LET(uint16_t n, u16());
  if (n > max) return fail(Code::too_long, "reader.bytes16");
  return bytes(n);
}

Result<Bytes> Reader::bytes32(size_t max) {
  TRY_LET(uint32_t n, u32());
  if (n > max) return fail(Code::too_long, "reader.bytes32");
  return bytes(n);
}

Status Reader::finish() const {
  if (!data_.empty()) return fail(Code::trailing, "reader.finish");
  return success();
}

void Writer::put(const void* data, size_t n) {
  if (overflow_ || n > out_.size() - used_) {
    overflow_ = true;
    return;
  }
  if (n != 0) std::memcpy(out_.data() + used_, data, n);
  used_ += n;
}

void Writer::u8(uint8_t v) { put(&v, 1); }

void Writer::u16(uint16_t v) {
  u8(static_cast<uint8_t>(v >> 8));
  u8(static_cast<uint8_t>(v));
}

void Writer::u32(uint32_t v) {
  u16(static_cast<uint16_t>(v >> 16));
  u16(static_cast<uint16_t>(v));
}

void Writer::u64(uint64_t v) {
  u32(static_cast<uint32_t>(v >> 32));
  u32(static_cast<uint32_t>(v));
}

void Writer::bytes(Bytes v) { put(v.data(), v.size()); }

void Writer::bytes8(Bytes v) {
  if (v.size() > UINT8_MAX) overflow_ = true;
  u8(static_cast<uint8_t>(v.size()));
  bytes(v);
}

void Writer::bytes16(Bytes v) {
  if (v.size() > UINT16_MAX) overflow_ = true;
  u16(static_cast<uint16_t>(v.size()));
  bytes(v);
}

void Writer::bytes32(Bytes v) {
  if (v.size() > UINT32_MAX) overflow_ = true;
  u32(static_cast<uint32_t>(v.size()));
  bytes(v);
}

Result<Bytes> Writer::finish() const {
  if (overflow_) return fail(Code::too_long, "writer.finish");
  return Bytes(out_.data(), used_);
}

}  // namespace cstl
