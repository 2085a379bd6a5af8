#include "attest/predict/tdx.h"

#include "attest/predict/gpt.h"
#include "attest/predict/ovmf.h"
#include "attest/predict/uki.h"

namespace cstl {

namespace {
// e47a6535-984a-4798-865e-4685a7bf8ec2
constexpr Guid kTdxMetadata{0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                            0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};
constexpr size_t kDescriptor = 16, kSection = 32;
constexpr uint32_t kSignature = 0x46564454;  // "TDVF"
constexpr uint32_t kVersion = 1;
constexpr uint32_t kExtendMr = 1, kPageAug = 2;
constexpr size_t kExtendChunk = 256, kHashBlock = 128;

Error malformed(const char* site) { return fail(Code::firmware_malformed, site); }

// Where the metadata is, counted from the end of the file.
Result<uint32_t> metadata_offset(Bytes firmware) {
  TRY_LET(OvmfTable table, OvmfTable::find(firmware, Code::firmware_malformed));
  Reader r(table.entry(kTdxMetadata));
  auto offset = r.u32le();
  if (!offset || r.remaining() != 0) return malformed("tdvf.no_metadata");
  return *offset;
}

Result<TdvfSection> read_section(Bytes firmware, Bytes raw) {
  Reader r(raw);
  TRY_LET(uint32_t offset, r.u32le());
  TRY_LET(uint32_t size, r.u32le());
  TdvfSection out;
  TRY_LET(out.address, r.u64le());
  TRY_LET(out.memory_size, r.u64le());
  TRY_LET(out.type, r.u32le());
  TRY_LET(uint32_t attributes, r.u32le());
  if (offset > firmware.size() || size > firmware.size() - offset) return malformed("tdvf.section_data");
  if (out.address % kTdvfPage != 0 || out.memory_size % kTdvfPage != 0 || size > out.memory_size ||
      out.memory_size > kMaxTdvfPages * kTdvfPage || out.address > UINT64_MAX - out.memory_size) {
    return malformed("tdvf.section_memory");
  }
  if ((attributes & ~(kExtendMr | kPageAug)) != 0 || attributes == (kExtendMr | kPageAug)) {
    return malformed("tdvf.section_attributes");
  }
  out.contents = firmware.skip(offset).first(size);
  out.measured = (attributes & kExtendMr) != 0;
  out.added = (attributes & kPageAug) == 0;
  return out;
}

std::array<uint8_t, kHashBlock> block(std::string_view what, uint64_t address) {
  constexpr size_t kAddress = 16;
  std::array<uint8_t, kHashBlock> out{};
  std::memcpy(out.data(), what.data(), what.size());
  for (size_t i = 0; i < sizeof address; ++i) out[kAddress + i] = static_cast<uint8_t>(address >> (8 * i));
  return out;
}

// Of EDK2: MdePkg/Include/IndustryStandard/UefiTcgPlatform.h.
constexpr std::string_view kBootAttempt = "Calling EFI Application from Boot Option";
constexpr std::string_view kBootServicesEnd = "Exit Boot Services Invocation";
constexpr std::string_view kBootServicesEnded = "Exit Boot Services Returned with Success";

Digest48 as_digest48(const Digest& digest) {
  Digest48 out{};
  std::memcpy(out.data(), Bytes(digest).data(), out.size());
  return out;
}

Status add_page(Hash& hash, uint64_t address) { return hash.update(block("MEM.PAGE.ADD", address)); }

Status extend_page(Hash& hash, const TdvfSection& section, uint64_t at) {
  for (uint64_t chunk = at; chunk < at + kTdvfPage; chunk += kExtendChunk) {
    std::array<uint8_t, kExtendChunk> bytes{};
    Bytes rest = section.contents.skip(static_cast<size_t>(chunk)).first(kExtendChunk);
    if (!rest.empty()) std::memcpy(bytes.data(), rest.data(), rest.size());
    TRY(hash.update(block("MR.EXTEND", section.address + chunk)));
    TRY(hash.update(bytes));
  }
  return success();
}
}  // namespace

Result<std::vector<TdvfSection>> tdvf_sections(Bytes firmware) {
  TRY_LET(uint32_t offset, metadata_offset(firmware));
  if (offset > firmware.size()) return malformed("tdvf.offset");
  Bytes metadata = firmware.skip(firmware.size() - offset);
  if (metadata.size() < kDescriptor) return malformed("tdvf.descriptor");
  Reader r(metadata);
  TRY_LET(uint32_t signature, r.u32le());
  TRY_LET(uint32_t length, r.u32le());
  TRY_LET(uint32_t version, r.u32le());
  TRY_LET(uint32_t count, r.u32le());
  if (signature != kSignature || version != kVersion) return malformed("tdvf.signature");
  if (count == 0 || count > kMaxTdvfSections || length != kDescriptor + count * kSection ||
      count * kSection > r.remaining()) {
    return malformed("tdvf.count");
  }
  std::vector<TdvfSection> out;
  uint64_t pages = 0;
  for (uint32_t i = 0; i < count; ++i) {
    TRY_LET(Bytes raw, r.bytes(kSection));
    TRY_LET(TdvfSection section, read_section(firmware, raw));
    pages += section.memory_size / kTdvfPage;
    if (pages > kMaxTdvfPages) return malformed("tdvf.pages");
    out.push_back(section);
  }
  return out;
}

Result<Digest48> predict_mrtd(Bytes firmware, PageOrder order) {
  TRY_LET(std::vector<TdvfSection> sections, tdvf_sections(firmware));
  TRY_LET(Hash hash, Hash::create(HashKind::sha384));
  for (const TdvfSection& section : sections) {
    if (!section.added) continue;
    for (uint64_t at = 0; at < section.memory_size; at += kTdvfPage) {
      TRY(add_page(hash, section.address + at));
      if (section.measured && order == PageOrder::page_by_page) TRY(extend_page(hash, section, at));
    }
    if (!section.measured || order == PageOrder::page_by_page) continue;
    for (uint64_t at = 0; at < section.memory_size; at += kTdvfPage) TRY(extend_page(hash, section, at));
  }
  TRY_LET(Digest value, hash.finish());
  return as_digest48(value);
}

Result<tdx::RtmrReference> predict_rtmr2(Bytes uki) {
  TRY_LET(std::vector<StubEvent> events, predict_stub_events(uki, HashKind::sha384));
  tdx::RtmrReference out;
  out.index = 2;
  out.component = "unified kernel image";
  Digest48 value{};
  for (StubEvent& event : events) {
    tdx::RtmrEvent one{as_digest48(event.digest), std::move(event.component)};
    TRY_LET(value, sha384({value, one.digest}));
    out.events.push_back(std::move(one));
  }
  out.expected = {value};
  return out;
}

Result<tdx::RtmrReference> boot_path_rtmr1(Bytes gpt, const std::vector<tdx::RtmrEvent>& images) {
  tdx::RtmrReference out;
  out.index = 1;
  out.component = "boot path";
  Digest48 value{};
  auto add = [&](Digest48 digest, std::string component) -> Status {
    TRY_LET(value, sha384({value, digest}));
    out.events.push_back({digest, std::move(component)});
    return success();
  };
  auto add_data = [&](Bytes data, std::string component) -> Status {
    TRY_LET(Digest48 digest, sha384({data}));
    return add(digest, std::move(component));
  };
  TRY(add_data(kBootAttempt, "boot attempt"));
  TRY(add_data(std::array<uint8_t, 4>{}, "separator"));
  if (!gpt.empty()) TRY(add_data(gpt, "partition table"));
  for (const tdx::RtmrEvent& image : images) TRY(add(image.digest, image.component));
  TRY(add_data(kBootServicesEnd, "end of boot services"));
  TRY(add_data(kBootServicesEnded, "end of boot services"));
  out.expected = {value};
  return out;
}

Result<tdx::RtmrReference> predict_rtmr1(Bytes uki, Bytes disk) {
  TRY_LET(StartedImages images, predict_started_images(uki, HashKind::sha384));
  TRY_LET(std::vector<uint8_t> gpt, gpt_event(disk));
  return boot_path_rtmr1(gpt, {{as_digest48(images.uki), "unified kernel image"}, {as_digest48(images.kernel), "kernel"}});
}

}  // namespace cstl
