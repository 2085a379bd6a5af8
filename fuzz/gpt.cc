#include <algorithm>
#include <cstdlib>
#include <vector>

#include "attest/predict/gpt.h"

namespace {
uint32_t crc32(cstl::Bytes data) {
  uint32_t crc = UINT32_MAX;
  for (uint8_t byte : data) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  return ~crc;
}
void put(std::vector<uint8_t>& disk, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) disk[at + i] = static_cast<uint8_t>(value >> (8 * i));
}
}  // namespace

// Partition tables, with the checksums of a 92-byte header and of entries in the third sector made right: what is measured
// is the disk's header, a number, and as many of its entries.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  std::vector<uint8_t> disk(data, data + size);
  if (size >= 1024) {
    const size_t entries = std::min((disk[592] + size_t{256} * disk[593]) * kGptEntry, size - 1024);
    put(disk, 600, crc32(Bytes(disk).skip(1024).first(entries)));
    put(disk, 528, 0);
    put(disk, 528, crc32(Bytes(disk).skip(512).first(92)));
  }
  auto event = gpt_event(disk);
  if (!event.ok() && event.code() != Code::bad_value && event.code() != Code::unsupported) abort();
  if (!event.ok() || event->empty()) return 0;
  Reader r(*event);
  if (r.bytes(92)->text() != Bytes(disk).skip(512).first(92).text()) abort();
  if (*r.u64le() * kGptEntry != r.remaining() || event->size() > kGptDisk) abort();
  return 0;
}
