// LUKS2 headers for tests and fuzzing, written small: the first 512 bytes of a binary header, then the JSON text.
// expand() makes the 32 KiB of a disk of it, with checksums that fit, so that a change in either reaches the parser.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "crypto/hash.h"
#include "initrd/luks_header.h"

namespace cstl::test {

constexpr size_t kSector = 512, kOffsetAt = 256, kSumAt = 448;

inline void seal_checksum(uint8_t* area) {
  std::memset(area + kSumAt, 0, 64);
  auto sum = sha256({Bytes(area, kLuksCopy)});
  if (sum.ok()) std::memcpy(area + kSumAt, sum->data(), sum->size());
}

// Writes one copy into `area` (kLuksCopy bytes). The secondary has its own magic and offset.
inline void put_copy(uint8_t* area, Bytes sector, Bytes json, bool secondary) {
  std::memset(area, 0, kLuksCopy);
  std::copy_n(sector.begin(), std::min(sector.size(), kSector), area);
  if (secondary && std::memcmp(area, "LUKS", 4) == 0) {
    std::memcpy(area, "SKUL", 4);
    area[kOffsetAt + 6] = kLuksCopy >> 8;
  }
  std::copy_n(json.begin(), std::min(json.size(), kLuksCopy - kLuksBinary), area + kLuksBinary);
  seal_checksum(area);
}

inline std::vector<uint8_t> expand(Bytes small) {
  std::vector<uint8_t> out(kLuksHeaders);
  put_copy(out.data(), small.first(kSector), small.skip(kSector), false);
  put_copy(out.data() + kLuksCopy, small.first(kSector), small.skip(kSector), true);
  return out;
}

}  // namespace cstl::test
