// What firmware measures of a disk's partition table before it starts an image from that disk: UEFI_GPT_DATA, the data
// of an EV_EFI_GPT_EVENT (TCG PC Client Platform Firmware Profile 1.06, 10.2.4; UEFI 2.10, 5.3).
//
// Total: bounded by kMaxGptEntries; reads the table at the disk's start and nothing else. Both checksums must be right, as
// firmware would not use the table otherwise (or use the one at the end). Sectors of 512 bytes, entries of 128.
#pragma once

#include <vector>

#include "crypto/base/bytes.h"

namespace cstl {

constexpr size_t kGptSector = 512;
constexpr size_t kGptEntry = 128;
constexpr uint32_t kMaxGptEntries = 1024;
// As much of a disk as gpt_event() reads of one whose entries follow the header, as they always do.
constexpr size_t kGptDisk = 2 * kGptSector + kMaxGptEntries * kGptEntry;

// `disk`: its first bytes, kGptDisk of them if it has as many. Header (92 bytes) ‖ u64 number of the used entries ‖ these,
// in their order. Empty: the disk has no such table (a file system right on the disk). Errors: bad_value (a table that
// firmware would not use, or a piece of a disk too short to tell), unsupported (sectors of 4096 bytes, other entries).
Result<std::vector<uint8_t>> gpt_event(Bytes disk);

}  // namespace cstl
