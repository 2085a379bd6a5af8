// Unpacks a tar, or a tar in gzip, into a folder, so that nothing of it can land or point outside.
//
// Refused, with component_unsafe: absolute names, names with "..", entries below a symbolic link, symbolic links that
// are absolute or lead out, hard links to anything but a regular file of the same archive, devices, FIFOs, sockets, and
// names longer than 1023 bytes or with control characters. Nothing is followed on the way: every name is resolved by
// the kernel beneath the folder without symbolic links (openat2).
#pragma once

#include <string>

#include "crypto/base/fd.h"

namespace cstl {

struct UnpackLimits {
  uint64_t bytes = uint64_t{4} << 30;  // of all files together
  uint32_t entries = 100'000;
};

// Reads the archive from the start of `file`; `folder` is an open, empty folder. Modes are the archive's & 0755 (with
// 0600 for files and 0700 for folders in any case); owner and times are those of now. Nothing is synced. `problem` (may
// be null) names the entry. Errors: component_archive (truncated, damaged, empty, no tar, an entry twice),
// component_unsafe, component_size, no_space, by errno.
Status unpack(int file, int folder, const UnpackLimits& limits, std::string* problem);

// A name as above, without "./" and final "/". Errors: component_unsafe. Empty: the folder itself.
Result<std::string> entry_name(std::string_view name);
// May a symbolic link called `name` (as entry_name() gave it) have this target? Only "../" steps that stay inside, then
// names: a ".." after a name could be one after another link. Errors: component_unsafe.
Status check_link(std::string_view name, std::string_view target);

}  // namespace cstl
