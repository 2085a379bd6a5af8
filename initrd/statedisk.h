// The life of the state disk: what was found on it, and the only ways to change it.
//
//   blank, fresh → format(), populate() → mounted, fresh → seal() → mounted, sealed
//   sealed       → unlock() → mounted, sealed
//
// A sealed disk is never formatted; a disk that holds something else (any signature that libblkid knows, or data in its
// first 32 KiB) is never written to. What counts as finished is the seal alone: a fresh disk is made anew at every
// boot, so an interrupted format, mkfs, init or join needs no other marker.
#pragma once

#include <memory>
#include <string>

#include "boot/state/node_state.h"
#include "crypto/base/fd.h"
#include "crypto/keys.h"
#include "initrd/luks.h"

namespace cstl {

constexpr const char* kMappedName = "cstl-state";
constexpr const char* kMappedDevice = "/dev/mapper/cstl-state";
constexpr uint64_t kMinStateDisk = 192ull * 1024 * 1024;
constexpr uint64_t kMaxStateDisk = uint64_t{1} << 46;  // 64 TiB

class StateDisk {
 public:
  // Looks at `device` and copies a sealed disk's header (2 MiB) into memory, where it is judged and later used, so that
  // the host cannot change it in between. Writes nothing. Errors: disk_header (with `found` naming a foreign content,
  // else empty), no_space (write-protected, or smaller than kMinStateDisk), disk_failed.
  static Result<StateDisk> open(const std::string& device, std::string* found);

  DiskState state() const { return header_.state; }
  const Uuid& uuid() const { return header_.uuid; }
  const P256Point& owner_key() const { return header_.owner_key; }

  // Blank or fresh only: LUKS2 with a new UUID, mapped. Errors: disk_failed, no_space, no_entropy; mismatch for a
  // sealed disk.
  Status format();
  // After format(): file system, mounted at kStateFolder. Errors: disk_failed, mkfs_failed, mount_failed.
  Status populate();

  // Sealed only; may be tried again after an error, which leaves the disk closed. Opens with the derived key, mounts,
  // reads the node state and checks that its owner key is the header's and its clusterID follows from
  // `measurement_key`.
  // Errors: disk_key, cluster_mismatch, disk_header (owner), node_state, not_found, disk_failed, mount_failed.
  Result<NodeState> unlock(const Key32& disk_key, const Key32& measurement_key);

  // Fresh and mounted only, once: refuses unless a node state of this owner is on the disk, flushes the file system,
  // then Luks::seal(). Errors: mismatch, node_state, not_found, disk_failed.
  Status seal(const Key32& disk_key, const P256Point& owner);

  // Before power off: unmounts and closes, as far as it goes.
  void close();

 private:
  StateDisk() = default;
  Status open_and_mount(const Key32& disk_key);

  std::string device_;
  LuksHeader header_;
  Fd disk_;
  Fd header_copy_;              // memfd
  std::unique_ptr<Luks> fresh_; // holds the volume key until the seal
  bool active_ = false;         // mapped, perhaps mounted
};

}  // namespace cstl
