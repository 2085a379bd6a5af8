#include "svc/joinservice/references.h"

#include "crypto/base/fd.h"

namespace cstl {

Result<ReferenceFile::Stamp> ReferenceFile::stamp() const {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) return fail_errno("references.stat");
  return Stamp{info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

Status ReferenceFile::load(int64_t now, std::string* problem) {
  TRY_LET(std::vector<uint8_t> text, read_file(path_.c_str(), kMaxReferenceValues));
  TRY_LET(values_, ReferenceValues::parse(Bytes(text).text(), now, problem));
  return success();
}

Result<ReferenceFile> ReferenceFile::open(std::string path, int64_t now, std::string* problem) {
  ReferenceFile file;
  file.path_ = std::move(path);
  TRY_LET(file.seen_, file.stamp());
  TRY(file.load(now, problem));
  return file;
}

Result<bool> ReferenceFile::refresh(int64_t now, std::string* problem) {
  auto current = stamp();
  Stamp seen = current.ok() ? *current : Stamp{};  // a file that is gone is one change, too
  if (seen == seen_) return false;
  seen_ = seen;
  if (!current.ok()) return current.error();
  TRY(load(now, problem));
  return true;
}

}  // namespace cstl
