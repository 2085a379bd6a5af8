#include "boot/bootstrapper/node_lock.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl {

Status NodeLock::check_marker() const {
  if (access(marker_.c_str(), F_OK) == 0) return fail(Code::lock_taken, "node_lock.marker");
  if (errno != ENOENT) return fail_errno("node_lock.marker");
  return success();
}

Status NodeLock::take(Platform& platform, const Digest32& cluster_id) {
  if (taken_) return fail(Code::lock_taken, "node_lock.take");
  TRY_LET(bool inside, platform.in_cluster());
  if (inside) return fail(Code::pcr_not_zero, "node_lock.pcr");
  auto marker = open_file(marker_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (marker.code() == Code::exists) return fail(Code::lock_taken, "node_lock.marker");
  if (!marker) return marker.error();
  taken_ = true;
  return platform.enter_cluster(cluster_id);
}

Status NodeLock::complete() {
  if (unlink(marker_.c_str()) != 0) return fail_errno("node_lock.complete");
  return success();
}

Status check_entered(Platform& platform, const Digest32& cluster_id) { return platform.check_cluster(cluster_id); }

}  // namespace cstl
