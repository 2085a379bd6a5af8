// Finding block devices by name, and waiting for devices with a bound.
//
// A name is the label of a GPT partition or the serial number of a whole disk (virtio, NVMe), as sysfs shows them; a
// partition counts before a disk. The host chooses both, so a name decides nothing about trust.
#pragma once

#include <string>

#include "crypto/base/bytes.h"

namespace cstl {

constexpr const char* kStateDisk = "cstl-state";
constexpr const char* kRootDisk = "cstl-root";
constexpr const char* kRootHashDisk = "cstl-root-verity";
constexpr int kDeviceWaitMs = 30000;

// The device node ("/dev/vda", "/dev/nvme0n1p2") that bears `name`; empty if there is none now. `sys_block` is
// "/sys/class/block" or a test's copy. Errors: disk_failed at disk.two_of_that_name (two partitions, or two disks and
// no partition, bear it).
Result<std::string> find_block_device(const char* sys_block, std::string_view name);

// Looks every 100 ms; says on the console what it waits for after one second and then every ten. Errors: disk_missing.
Result<std::string> wait_for_block_device(std::string_view name, int timeout_ms);

// Waits for a device node such as /dev/tpmrm0. Errors: `missing`.
Status wait_for_node(const char* path, int timeout_ms, Code missing);

// Size in bytes, and whether it is write-protected. Errors: disk_failed.
struct BlockDevice {
  uint64_t size = 0;
  bool read_only = false;
};
Result<BlockDevice> block_device(int fd);

}  // namespace cstl
