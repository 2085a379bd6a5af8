// Finding block devices by name.
//
// A name is the label of a GPT partition or the serial number of a whole disk (virtio, NVMe), as sysfs shows them; a
// partition counts before a disk. The host chooses both, so a name decides nothing about trust.
#pragma once

#include <string>

#include "crypto/base/bytes.h"

namespace cstl {

// The device node ("/dev/vda", "/dev/nvme0n1p2") that bears `name`; empty if there is none now. `sys_block` is
// "/sys/class/block" or a test's copy. Errors: disk_failed at disk.two_of_that_name (two partitions, or two disks and
// no partition, bear it).
Result<std::string> find_block_device(const char* sys_block, std::string_view name);

}  // namespace cstl
