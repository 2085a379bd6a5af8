#include "attest/predict/gpt.h"

#include <algorithm>

namespace cstl {
namespace {

constexpr std::string_view kSignature = "EFI PART";
constexpr size_t kHeader = 92, kChecksum = 16, kLargeSector = 4096;
constexpr uint32_t kRevision = 0x00010000;
constexpr size_t kTypeGuid = 16;

Error bad(const char* site) { return fail(Code::bad_value, site); }

// CRC-32 of ISO 3309, bit by bit: a table of a few KiB does not deserve more.
uint32_t crc32(uint32_t crc, Bytes data) {
  for (uint8_t byte : data) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  return crc;
}
uint32_t checksum(std::initializer_list<Bytes> parts) {
  uint32_t crc = UINT32_MAX;
  for (Bytes part : parts) crc = crc32(crc, part);
  return ~crc;
}

bool has_table(Bytes disk, size_t sector) { return disk.skip(sector).first(kSignature.size()).text() == kSignature; }

struct Table {
  uint32_t header_size = 0, header_crc = 0, count = 0, entry_size = 0, entries_crc = 0;
  uint64_t own = 0, entries = 0;  // sectors

  static Result<Table> decode(Bytes header) {
    Reader r(header);
    Table t;
    TRY_LET(Bytes signature, r.bytes(kSignature.size()));
    TRY_LET(uint32_t revision, r.u32le());
    TRY_LET(t.header_size, r.u32le());
    TRY_LET(t.header_crc, r.u32le());
    TRY_LET(uint32_t reserved, r.u32le());
    TRY_LET(t.own, r.u64le());
    TRY_LET(Bytes places, r.bytes(24 + 16));  // of the other header, of what partitions may use; the disk's GUID
    TRY_LET(t.entries, r.u64le());
    TRY_LET(t.count, r.u32le());
    TRY_LET(t.entry_size, r.u32le());
    TRY_LET(t.entries_crc, r.u32le());
    (void)signature;
    (void)reserved;
    (void)places;
    if (revision != kRevision || t.header_size < kHeader || t.header_size > kGptSector || t.own != 1) {
      return bad("gpt.header");
    }
    return t;
  }
};

}  // namespace

Result<std::vector<uint8_t>> gpt_event(Bytes disk) {
  if (disk.size() < 2 * kGptSector) return bad("gpt.disk");
  if (!has_table(disk, kGptSector)) {
    if (has_table(disk, kLargeSector)) return fail(Code::unsupported, "gpt.sector");
    return std::vector<uint8_t>();
  }
  const Bytes header = disk.skip(kGptSector).first(kGptSector);
  TRY_LET(Table table, Table::decode(header));
  constexpr std::array<uint8_t, 4> kZeros{};
  const Bytes behind = header.first(table.header_size).skip(kChecksum + kZeros.size());
  if (checksum({header.first(kChecksum), kZeros, behind}) != table.header_crc) return bad("gpt.header_crc");
  if (table.entry_size != kGptEntry) return fail(Code::unsupported, "gpt.entry_size");
  if (table.count == 0 || table.count > kMaxGptEntries) return fail(Code::unsupported, "gpt.count");
  if (table.entries < 2 || table.entries > disk.size() / kGptSector) return bad("gpt.entries");
  const Bytes entries = disk.skip(static_cast<size_t>(table.entries) * kGptSector).first(table.count * kGptEntry);
  if (entries.size() != table.count * kGptEntry) return bad("gpt.entries");
  if (checksum({entries}) != table.entries_crc) return bad("gpt.entries_crc");

  std::vector<uint8_t> out(header.begin(), header.begin() + kHeader);
  out.resize(kHeader + sizeof(uint64_t));
  uint64_t used = 0;
  for (size_t at = 0; at < entries.size(); at += kGptEntry) {
    const Bytes entry = entries.skip(at).first(kGptEntry);
    const Bytes type = entry.first(kTypeGuid);
    if (std::all_of(type.begin(), type.end(), [](uint8_t byte) { return byte == 0; })) continue;
    out.insert(out.end(), entry.begin(), entry.end());
    ++used;
  }
  for (size_t i = 0; i < sizeof used; ++i) out[kHeader + i] = static_cast<uint8_t>(used >> (8 * i));
  return out;
}

}  // namespace cstl
