// What cstl-init takes from the kernel command line, which is measured into PCR 9 (and 12 when the host changes it).
//
//   roothash=<64 hex digits>        open the dm-verity root with this root hash (initrd/verity.h)
//   cstl.failure_delay=<0..3600>    seconds between an error on the console and the reboot; default 10
//
// Everything else belongs to the kernel or to others and is ignored. Pure, bounded, no allocation.
#pragma once

#include "crypto/base/bytes.h"

namespace cstl {

constexpr size_t kMaxCommandLine = 4096;

struct CommandLine {
  std::optional<Digest32> roothash;
  int failure_delay = 10;
};

// Words are separated by spaces, tabs and newlines. Errors: bad_value at cmdline.roothash or cmdline.failure_delay
// (also when one is given twice), too_long.
Result<CommandLine> parse_command_line(std::string_view text);

}  // namespace cstl
