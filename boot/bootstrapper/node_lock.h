// The node lock: init or join, whichever comes first, and once per boot. Taking it extends the cluster's register (PCR
// 15, mostly) with the clusterID, which nothing undoes but a reboot; afterwards this machine can prove to everyone
// which cluster it entered.
//
// While the machine is being entered a marker stands in /run (memory, gone after a reboot). A bootstrapper that finds
// the marker at its start was killed in between: neither init nor join may go on, whatever the state disk holds.
#pragma once

#include <string>

#include "attest/platform/platform.h"

namespace cstl {

class NodeLock {
 public:
  // `marker`: path in a folder that exists, on a file system that a reboot empties.
  explicit NodeLock(std::string marker) : marker_(std::move(marker)) {}

  // Errors: lock_taken (an earlier bootstrapper of this boot took it and did not complete), io.
  Status check_marker() const;

  // One winner. Errors that leave the machine as it was: lock_taken, pcr_not_zero. Errors after which only a reboot
  // helps (taken() is then true): io, tpm_failed, register_failed, mismatch (the register does not read as it should).
  Status take(Platform& platform, const Digest32& cluster_id);
  bool taken() const { return taken_; }

  // The machine belongs to the cluster, durably: removes the marker. Errors: io.
  Status complete();

 private:
  std::string marker_;
  bool taken_ = false;
};

// The register says that this machine entered `cluster_id`. Errors: cluster_mismatch, tpm_failed, register_failed.
Status check_entered(Platform& platform, const Digest32& cluster_id);

}  // namespace cstl
