#include "initrd/filesystem.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace cstl {
namespace {

constexpr uint64_t kMiB = 1024 * 1024, kGroup = 128 * kMiB;

bool has(const std::vector<Region>& regions, Region r) {
  return std::find(regions.begin(), regions.end(), r) != regions.end();
}

}  // namespace

TEST_CASE("filesystem: what mkfs reads first is zeroed") {
  const auto regions = read_before_written(uint64_t{1} << 40);  // 8192 groups
  CHECK(has(regions, {0, 8 * kMiB}));
  CHECK(has(regions, {(uint64_t{1} << 40) - 4 * kMiB, 4 * kMiB}));
  for (uint64_t group : {1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343, 625, 729, 2187, 2401, 3125, 6561})
    CHECK(has(regions, {group * kGroup, 4096}));
  CHECK(regions.size() == 2 + 18);
}

TEST_CASE("filesystem: regions stay inside of the device") {
  for (uint64_t size : {uint64_t{4096}, 3 * kMiB, 100 * kMiB, kGroup, kGroup + 4096, 3 * kGroup + 5000, 512 * kGroup}) {
    CAPTURE(size);
    for (const Region& r : read_before_written(size)) {
      CHECK(r.offset % 4096 == 0);
      CHECK(r.size % 4096 == 0);
      CHECK(r.offset < size);
      CHECK(r.size <= size - r.offset);
    }
  }
}

TEST_CASE("filesystem: a group that begins inside of the device has its backup zeroed") {
  CHECK_FALSE(has(read_before_written(kGroup), {kGroup, 4096}));
  CHECK(has(read_before_written(kGroup + 4096), {kGroup, 4096}));
}

}  // namespace cstl
