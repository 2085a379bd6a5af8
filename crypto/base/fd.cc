#include "crypto/base/fd.h"

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cstl {

Fd::~Fd() {
  if (fd_ < 0) return;
  int saved = errno;
  ::close(fd_);
  errno = saved;
}

Status Fd::close() {
  int fd = release();
  if (fd >= 0 && ::close(fd) != 0) return fail_errno("fd.close");
  return success();
}

Result<Fd> open_file(const char* path, int flags, mode_t mode) {
  int fd = open(path, flags | O_CLOEXEC, mode);
  if (fd < 0) return fail_errno("file.open");
  return Fd(fd);
}

Result<std::vector<uint8_t>> read_fd(int fd, size_t max) {
  std::vector<uint8_t> out;
  uint8_t chunk[4096];
  for (;;) {
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("file.read");
    if (n == 0) return out;
    if (static_cast<size_t>(n) > max - out.size()) return fail(Code::too_long, "file.read");
    out.insert(out.end(), chunk, chunk + n);
  }
}

Result<std::vector<uint8_t>> read_file(const char* path, size_t max) {
  TRY_LET(Fd fd, open_file(path, O_RDONLY));
  return read_fd(fd.get(), max);
}

Status write_all(int fd, Bytes data) {
  while (!data.empty()) {
    ssize_t n = write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("file.write");
    data = data.skip(static_cast<size_t>(n));
  }
  return success();
}

Status read_exact(int fd, MutBytes out) {
  size_t used = 0;
  while (used < out.size()) {
    ssize_t n = read(fd, out.data() + used, out.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("file.read");
    if (n == 0) return fail(Code::closed, "file.read");
    used += static_cast<size_t>(n);
  }
  return success();
}

Status write_file_durably(const char* path, Bytes data, mode_t mode) {
  std::string target(path);
  std::string temporary = target + ".tmp";
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return fail_errno("durable.unlink");
  TRY_LET(Fd file, open_file(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
  Status written = write_all(file.get(), data);
  if (written.ok() && fsync(file.get()) != 0) written = fail_errno("durable.fsync");
  if (written.ok()) written = file.close();
  if (written.ok() && rename(temporary.c_str(), path) != 0) written = fail_errno("durable.rename");
  if (!written.ok()) {
    (void)unlink(temporary.c_str());  // the first error is the one to report
    return written;
  }
  size_t slash = target.rfind('/');
  std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : target.substr(0, slash);
  TRY_LET(Fd dir, open_file(folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (fsync(dir.get()) != 0) return fail_errno("durable.fsync_folder");
  return success();
}

Status make_folders(const std::string& path, mode_t mode) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    std::string part = path.substr(0, end);
    if (mkdir(part.c_str(), mode) != 0 && errno != EEXIST) return fail_errno("folder.make");
    if (end == std::string::npos) return success();
  }
}

int64_t monotonic_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

double monotonic_seconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace cstl
