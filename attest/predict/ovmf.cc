#include "attest/predict/ovmf.h"

namespace cstl {

namespace {
constexpr size_t kResetVector = 32;      // bytes after the table
constexpr size_t kEntryTail = 18;        // u16 length, GUID: behind the data, and part of the length
constexpr size_t kMaxSections = 32;
constexpr uint32_t kMaxMemory = 256u << 20;
constexpr Guid kFooter{0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
constexpr Guid kHashTable{0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                          0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
constexpr Guid kSevInfo{0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f, 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
constexpr Guid kSevMetadata{0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                            0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
constexpr uint32_t kSignature = 0x56455341;  // "ASEV"
constexpr size_t kHeader = 16, kDescriptor = 12;

Error malformed(const char* site) { return fail(Code::snp_firmware_malformed, site); }

// Splits the last entry off. `entries` shrinks.
Result<Bytes> take_last(Bytes* entries, Guid* guid, Code refusal) {
  if (entries->size() < kEntryTail) return fail(refusal, "ovmf.entry");
  Reader tail(entries->skip(entries->size() - kEntryTail));
  TRY_LET(uint16_t length, tail.u16le());
  TRY_LET(*guid, tail.fixed<16>());
  if (length < kEntryTail || length > entries->size()) return fail(refusal, "ovmf.entry");
  Bytes data = entries->skip(entries->size() - length).first(length - kEntryTail);
  *entries = entries->first(entries->size() - length);
  return data;
}

Result<uint32_t> address_in(Bytes entry, const char* site) {
  Reader reader(entry);
  Result<uint32_t> address = reader.u32le();
  if (!address.ok()) return malformed(site);
  return *address;
}
}  // namespace

Result<OvmfTable> OvmfTable::find(Bytes firmware, Code refusal) {
  if (firmware.empty() || firmware.size() > kMaxFirmware || firmware.size() % kPage != 0)
    return fail(refusal, "ovmf.size");
  OvmfTable table;
  table.firmware_ = firmware;
  // The footer is an entry without data whose length is the whole table's.
  Bytes before = firmware.first(firmware.size() - kResetVector);
  Reader footer(before.skip(before.size() - kEntryTail));
  TRY_LET(uint16_t length, footer.u16le());
  TRY_LET(Guid guid, footer.fixed<16>());
  if (guid != kFooter || length < kEntryTail || length > before.size()) return fail(refusal, "ovmf.table");
  table.entries_ = before.skip(before.size() - length).first(length - kEntryTail);
  Bytes rest = table.entries_;
  while (!rest.empty()) TRY(take_last(&rest, &guid, refusal));
  return table;
}

Bytes OvmfTable::entry(const Guid& guid) const {
  Bytes rest = entries_;
  Guid name{};
  while (!rest.empty()) {
    Result<Bytes> data = take_last(&rest, &name, Code::internal);
    if (!data.ok()) break;
    if (name == guid) return *data;
  }
  return {};
}

Result<SevMetadata> SevMetadata::parse(Bytes firmware) {
  TRY_LET(OvmfTable table, OvmfTable::find(firmware, Code::snp_firmware_malformed));
  SevMetadata out;
  TRY_LET(out.ap_reset, address_in(table.entry(kSevInfo), "ovmf.sev_info"));
  if (Bytes hashes = table.entry(kHashTable); !hashes.empty()) {
    TRY_LET(out.hashes, address_in(hashes, "ovmf.hash_table"));
  }
  // Where the descriptors are: so many bytes before the end of the image.
  TRY_LET(uint32_t from_end, address_in(table.entry(kSevMetadata), "ovmf.sev_metadata"));
  if (from_end > firmware.size()) return malformed("ovmf.sev_metadata");
  Reader reader(firmware.skip(firmware.size() - from_end));
  if (reader.remaining() < kHeader) return malformed("ovmf.sev_metadata");
  TRY_LET(uint32_t signature, reader.u32le());
  TRY_LET(uint32_t length, reader.u32le());
  TRY_LET(uint32_t version, reader.u32le());
  TRY_LET(uint32_t count, reader.u32le());
  if (signature != kSignature || version != 1 || count == 0 || count > kMaxSections ||
      length != kHeader + count * kDescriptor || reader.remaining() < count * kDescriptor)
    return malformed("ovmf.sev_metadata");
  uint32_t total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Section section;
    TRY_LET(section.address, reader.u32le());
    TRY_LET(section.size, reader.u32le());
    TRY_LET(uint32_t kind, reader.u32le());
    if ((kind < 1 || kind > 4) && kind != 16) return malformed("ovmf.section_kind");
    section.kind = static_cast<SevSection>(kind);
    if (section.address % kPage != 0 || section.size == 0 || section.size % kPage != 0 ||
        section.size > kMaxMemory - total || section.size > UINT32_MAX - section.address)
      return malformed("ovmf.section");
    bool one_page = section.kind != SevSection::memory && section.kind != SevSection::svsm_area;
    if (one_page && section.size != kPage) return malformed("ovmf.section");
    total += section.size;
    out.sections.push_back(section);
  }
  return out;
}

}  // namespace cstl
