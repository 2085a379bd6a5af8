// What a program writes, into a file of bounded size: at `limit` bytes the file becomes PATH.1, in place of an older
// one. Bytes as they come. Nothing is flushed: a power cut may take the last lines.
#pragma once

#include <string>

#include "crypto/base/fd.h"

namespace cstl {

constexpr size_t kLogLimit = 16 * 1024 * 1024;

class LogFile {
 public:
  // Opens nothing yet.
  explicit LogFile(std::string path, size_t limit = kLogLimit) : path_(std::move(path)), limit_(limit) {}

  // Reads what is there from the non-blocking descriptor `from` and appends it; what does not reach the disk is
  // dropped. Never follows a symbolic link at PATH. Errors, the first time only until it works again: no_space, io,
  // by errno.
  Status forward(int from);
  const std::string& path() const { return path_; }

 private:
  Status append(Bytes data);
  Status open();

  std::string path_;
  size_t limit_;
  size_t size_ = 0;
  Fd file_;
  bool failing_ = false;
};

}  // namespace cstl
