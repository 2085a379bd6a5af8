// Waiting for devices, with a bound; the names are those of boot/state/block_device.h.
#pragma once

#include <string>

#include "boot/state/block_device.h"
#include "crypto/base/bytes.h"

namespace cstl {

constexpr const char* kStateDisk = "cstl-state";
constexpr const char* kRootDisk = "cstl-root";
constexpr const char* kRootHashDisk = "cstl-root-verity";
constexpr int kDeviceWaitMs = 30000;

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
