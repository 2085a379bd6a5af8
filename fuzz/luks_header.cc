#include "initrd/luks_header.h"

#include <cstdlib>

#include "tests/initrd/luks_image.h"

// The header of a state disk, in the small form of tests/initrd/luks_image.h (a checksum would stop every mutation),
// and the same bytes as they are. What is accepted as sealed names an owner, and is refused once a bit of the checksum
// flips.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  const Bytes input(data, size);
  (void)read_luks_header(input);
  (void)check_sealed_json(input.text());
  std::vector<uint8_t> headers = test::expand(input);
  auto header = read_luks_header(headers);
  if (!header) {
    if (header.code() != Code::disk_header) abort();
    return 0;
  }
  if (header->state != DiskState::sealed) return 0;
  if (header->owner_key[0] != 4) abort();
  headers[test::kSumAt] ^= 1;
  headers[kLuksCopy + test::kSumAt] ^= 1;
  if (read_luks_header(headers).ok()) abort();
  return 0;
}
