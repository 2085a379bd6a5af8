// File descriptors, bounded reads and durable files. Every descriptor is close-on-exec.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "crypto/base/bytes.h"

namespace cstl {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  // For descriptors whose close can lose data. Errors: io, no_space.
  Status close();

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC added. Errors by errno.
Result<Fd> open_file(const char* path, int flags, mode_t mode = 0600);

// Reads a whole file of at most `max` bytes; procfs and sysfs files of unknown size too. Errors: too_long, io.
Result<std::vector<uint8_t>> read_file(const char* path, size_t max);
Result<std::vector<uint8_t>> read_fd(int fd, size_t max);

// Blocking descriptors: all of it, or an error (closed at end of file).
Status write_all(int fd, Bytes data);
Status read_exact(int fd, MutBytes out);

// Atomic and durable: temporary file in the same folder, fsync, rename, fsync of the folder. After a crash the old or
// the new content is there, whole. The temporary name is `path` + ".tmp"; an old one is replaced. Errors: no_space, io.
Status write_file_durably(const char* path, Bytes data, mode_t mode = 0600);

// Creates all missing folders of `path` with `mode`. Errors by errno.
Status make_folders(const std::string& path, mode_t mode = 0700);

// Monotonic milliseconds, for deadlines only: never for freshness.
int64_t monotonic_ms();
// The same clock in seconds, for measuring.
double monotonic_seconds();

}  // namespace cstl
