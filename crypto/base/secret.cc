#include "crypto/base/secret.h"

#include <cerrno>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace cstl {

void wipe(MutBytes data) {
  if (data.size() != 0) explicit_bzero(data.data(), data.size());
}

bool ct_equal(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = difference | (a.data()[i] ^ b.data()[i]);
  return difference == 0;
}

Result<LockedPages> LockedPages::map(size_t size) {
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return fail_errno("locked.mmap");
  LockedPages pages(data, size);
  if (mlock(data, size) != 0) return fail(Code::lock_failed, "locked.mlock", Origin::errno_value, errno);
  if (madvise(data, size, MADV_DONTDUMP) != 0 || madvise(data, size, MADV_WIPEONFORK) != 0) {
    return fail(Code::lock_failed, "locked.madvise", Origin::errno_value, errno);
  }
  return pages;
}

LockedPages::~LockedPages() {
  if (data_ == nullptr) return;
  int saved = errno;
  explicit_bzero(data_, size_);
  munmap(data_, size_);
  errno = saved;
}

Status forbid_dumps() {
  rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return fail_errno("dumps.rlimit");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("dumps.prctl");
  return success();
}

}  // namespace cstl
