#include "boot/bootstrapper/node_lock.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "attest/reference/appraise.h"
#include "crypto/base/fd.h"

namespace cstl {

Status NodeLock::check_marker() const {
  if (access(marker_.c_str(), F_OK) == 0) return fail(Code::lock_taken, "node_lock.marker");
  if (errno != ENOENT) return fail_errno("node_lock.marker");
  return success();
}

Status NodeLock::take(tpm::Device& device, const Digest32& cluster_id) {
  if (taken_) return fail(Code::lock_taken, "node_lock.take");
  TRY_LET(auto before, device.read_pcrs());
  if (!equal(before[kClusterPcr], Digest32{})) return fail(Code::pcr_not_zero, "node_lock.pcr");
  auto marker = open_file(marker_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (marker.code() == Code::exists) return fail(Code::lock_taken, "node_lock.marker");
  if (!marker) return marker.error();
  taken_ = true;
  TRY(device.pcr_event(kClusterPcr, cluster_id));
  TRY_LET(auto after, device.read_pcrs());
  TRY_LET(Digest32 expected, cluster_pcr(cluster_id));
  if (!equal(after[kClusterPcr], expected)) return fail(Code::mismatch, "node_lock.verify");
  return success();
}

Status NodeLock::complete() {
  if (unlink(marker_.c_str()) != 0) return fail_errno("node_lock.complete");
  return success();
}

Status check_entered(tpm::Device& device, const Digest32& cluster_id) {
  TRY_LET(auto pcrs, device.read_pcrs());
  TRY_LET(Digest32 expected, cluster_pcr(cluster_id));
  if (!equal(pcrs[kClusterPcr], expected)) return fail(Code::cluster_mismatch, "node_lock.entered");
  return success();
}

}  // namespace cstl
