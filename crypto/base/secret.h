// Secrets have a type: they cannot be copied, printed, logged or compared with ==, and they are wiped on
// destruction and on move. declassify() is the only way out, so one search lists every exit.
#pragma once

#include <array>
#include <memory>

#include "crypto/base/bytes.h"

namespace cstl {

// Overwrites in a way the compiler keeps.
void wipe(MutBytes data);

// Constant time in the contents (not in the sizes, which are public).
bool ct_equal(Bytes a, Bytes b);

template <size_t N>
class Secret {
 public:
  Secret() = default;
  ~Secret() { wipe(bytes_); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  bool operator==(const Secret&) const = delete;

  static constexpr size_t size() { return N; }
  // Where a producer (random source, KDF, decoder) puts the secret.
  MutBytes fill() { return bytes_; }
  Bytes declassify() const { return bytes_; }
  // An explicit second copy, for the rare place that needs one.
  Secret clone() const {
    Secret out;
    out.bytes_ = bytes_;
    return out;
  }
  // Copies exactly N bytes in. Errors: bad_value when the size differs.
  static Result<Secret> copy_of(Bytes source) {
    if (source.size() != N) return fail(Code::bad_value, "secret.size");
    Secret out;
    std::memcpy(out.bytes_.data(), source.data(), N);
    return out;
  }

 private:
  std::array<uint8_t, N> bytes_{};
};

// A heap buffer of fixed capacity for messages that carry secrets: never reallocates, wiped on destruction.
class SecretBuffer {
 public:
  explicit SecretBuffer(size_t capacity) : data_(new uint8_t[capacity]()), size_(capacity) {}
  ~SecretBuffer() { if (data_) wipe(space()); }
  SecretBuffer(SecretBuffer&& other) noexcept : data_(std::move(other.data_)), size_(other.size_) { other.size_ = 0; }
  SecretBuffer& operator=(SecretBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  MutBytes space() { return MutBytes(data_.get(), size_); }
  Bytes declassify() const { return Bytes(data_.get(), size_); }
  size_t size() const { return size_; }

 private:
  std::unique_ptr<uint8_t[]> data_;
  size_t size_;
};

// Pages for long-lived keys: locked in memory, left out of core dumps, wiped in children after fork.
// Errors of map(): lock_failed (RLIMIT_MEMLOCK), no_memory.
class LockedPages {
 public:
  static Result<LockedPages> map(size_t size);
  ~LockedPages();
  LockedPages(LockedPages&& other) noexcept : data_(other.data_), size_(other.size_) { other.data_ = nullptr; other.size_ = 0; }
  LockedPages& operator=(LockedPages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  void* data() const { return data_; }

 private:
  LockedPages(void* data, size_t size) : data_(data), size_(size) {}
  void* data_;
  size_t size_;
};

// One object of type T in locked pages. T's destructor runs before the pages are wiped and unmapped.
template <typename T>
class Locked {
 public:
  static Result<Locked> create() {
    TRY_LET(LockedPages pages, LockedPages::map(sizeof(T)));
    return Locked(std::move(pages));
  }
  ~Locked() { if (object_) object_->~T(); }
  Locked(Locked&& other) noexcept : pages_(std::move(other.pages_)), object_(other.object_) { other.object_ = nullptr; }
  Locked& operator=(Locked&& other) noexcept {
    std::swap(pages_, other.pages_);
    std::swap(object_, other.object_);
    return *this;
  }
  T& operator*() { return *object_; }
  T* operator->() { return object_; }

 private:
  explicit Locked(LockedPages pages) : pages_(std::move(pages)), object_(new (pages_.data()) T()) {}
  LockedPages pages_;
  T* object_;
};

// For every process that handles secrets: no core dumps, not ptraceable by others. Errors: io.
Status forbid_dumps();

}  // namespace cstl
