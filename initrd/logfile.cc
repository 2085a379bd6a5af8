#include "initrd/logfile.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cstl {

Status LogFile::open() {
  TRY_LET(Fd file, open_file(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640));
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return fail_errno("log.size");
  file_ = std::move(file);
  size_ = static_cast<size_t>(info.st_size);
  return success();
}

Status LogFile::append(Bytes data) {
  if (!file_.valid()) TRY(open());
  if (size_ > 0 && size_ + data.size() > limit_) {
    if (rename(path_.c_str(), (path_ + ".1").c_str()) != 0) return fail_errno("log.rename");
    TRY(open());
  }
  TRY(write_all(file_.get(), data));
  size_ += data.size();
  return success();
}

Status LogFile::forward(int from) {
  constexpr int kTurns = 16;  // then the caller looks at its other descriptors
  uint8_t space[4096];
  Status result = success();
  for (int turn = 0; turn < kTurns; ++turn) {
    const ssize_t n = read(from, space, sizeof space);
    if (n <= 0) break;
    const Status written = append(Bytes(space, static_cast<size_t>(n)));
    if (written.ok()) {
      failing_ = false;
      continue;
    }
    file_ = Fd();  // opened anew for the next lines: the file may be gone
    if (!failing_) result = written;
    failing_ = true;
  }
  return result;
}

}  // namespace cstl
