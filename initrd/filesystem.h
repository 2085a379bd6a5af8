// The ext4 file system of the state disk.
//
// A disk that was formatted without a wipe has no valid integrity tags: a sector that was never written fails with EIO.
// So nothing may read before it writes: read-ahead is off while the file system is made, and the places that mkfs.ext4
// reads first (it looks for old signatures, and at backup superblocks) are written with zeros before.
#pragma once

#include <string>
#include <vector>

#include "crypto/base/result.h"

namespace cstl {

struct Region {
  uint64_t offset;  // bytes, multiples of 4096
  uint64_t size;
  bool operator==(const Region& o) const { return offset == o.offset && size == o.size; }
};

// What must be zero before mkfs.ext4 runs on a device of `size` bytes with 4096-byte blocks: the first 8 MiB, the last
// 4 MiB, and the block of each backup superblock (groups 1, 3ⁿ, 5ⁿ, 7ⁿ of 32768 blocks). Within the device, ascending
// by kind; they may overlap on small devices. Pure.
std::vector<Region> read_before_written(uint64_t size);

// Zeros, mkfs.ext4, read-ahead back on. Everything on `device` is lost. mkfs's output goes to our stderr.
// Errors: disk_failed, mkfs_failed (foreign: its wait status), no_memory.
Status make_filesystem(const std::string& device);

// Mounts nosuid, nodev, noexec, data=ordered; the root of the file system becomes 0711. Errors: mount_failed.
Status mount_filesystem(const std::string& device, const char* target);
// Detaches it even if it is busy. Errors: mount_failed.
Status unmount_filesystem(const char* target);

}  // namespace cstl
