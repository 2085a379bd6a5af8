// The node lock: init or join, whichever comes first, and once per boot. Taking it extends PCR 15 with the clusterID,
// which nothing undoes but a reboot; afterwards this machine can prove to everyone which cluster it entered.
//
// While the machine is being entered a marker stands in /run (memory, gone after a reboot). A bootstrapper that finds the
// marker at its start was killed in between: neither init nor join may go on, whatever the state disk holds.
#pragma once

#include <string>

#include "attest/reference/values.h"
#include "attest/tpm/device.h"

namespace cstl {

class NodeLock {
 public:
  // `marker`: path in a folder that exists, on a file system that a reboot empties.
  explicit NodeLock(std::string marker) : marker_(std::move(marker)) {}

  // Errors: lock_taken (an earlier bootstrapper of this boot took it and did not complete), io.
  Status check_marker() const;

  // One winner. Errors that leave the machine as it was: lock_taken, pcr_not_zero. Errors after which only a reboot
  // helps (taken() is then true): io, tpm_failed, mismatch (PCR 15 does not read as it should).
  Status take(tpm::Device& device, const Digest32& cluster_id);
  bool taken() const { return taken_; }

  // The machine belongs to the cluster, durably: removes the marker. Errors: io.
  Status complete();

 private:
  std::string marker_;
  bool taken_ = false;
};

// PCR 15 says that this machine entered `cluster_id`. Errors: cluster_mismatch, tpm_failed.
Status check_entered(tpm::Device& device, const Digest32& cluster_id);

}  // namespace cstl
