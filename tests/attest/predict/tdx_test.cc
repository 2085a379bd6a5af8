#include "attest/predict/tdx.h"

#include "attest/predict/uki.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;

namespace {
void put(Buffer& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
void put(Buffer& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

struct Section {
  uint32_t offset, size;
  uint64_t address, memory;
  uint32_t type, attributes;
};

// An image as OVMF builds it: code, metadata, the table of GUIDs with another entry in it, the reset vector.
Buffer image(const std::vector<Section>& sections, const Buffer& code) {
  Buffer out = code;
  const size_t at = out.size();
  put(out, Bytes("TDVF"));
  put(out, 16 + 32 * sections.size(), 4);
  put(out, 1, 4);
  put(out, sections.size(), 4);
  for (const Section& s : sections) {
    put(out, s.offset, 4);
    put(out, s.size, 4);
    put(out, s.address, 8);
    put(out, s.memory, 8);
    put(out, s.type, 4);
    put(out, s.attributes, 4);
  }
  std::array<uint8_t, 16> metadata_guid{}, other_guid{}, footer_guid{};
  REQUIRE(from_hex("35657ae44a989847865e4685a7bf8ec2", metadata_guid).ok());
  REQUIRE(from_hex("de82b596b21ff745baeaa366c55a082d", footer_guid).ok());
  constexpr size_t kTable = (4 + 18) + (8 + 18) + 18;
  out.resize((out.size() + kTable + 32 + 4095) / 4096 * 4096 - kTable - 32);  // images are whole pages
  const size_t whole = out.size() + kTable + 32;
  put(out, whole - at, 4);  // from the end of the file
  put(out, 4 + 18, 2);
  put(out, metadata_guid);
  put(out, 0x1122334455667788, 8);
  put(out, 8 + 18, 2);
  put(out, other_guid);
  put(out, kTable, 2);
  put(out, footer_guid);
  put(out, Buffer(32, 0x90));
  REQUIRE(out.size() == whole);
  return out;
}

// The equation of the standard (Intel TDX Module Base Specification: TDH.MEM.PAGE.ADD, TDH.MR.EXTEND), spelled out.
Buffer page_add(uint64_t address) {
  Buffer out;
  put(out, Bytes("MEM.PAGE.ADD"));
  out.resize(16);
  put(out, address, 8);
  out.resize(128);
  return out;
}
Buffer mr_extend(uint64_t address, Bytes chunk) {
  Buffer out;
  put(out, Bytes("MR.EXTEND"));
  out.resize(16);
  put(out, address, 8);
  out.resize(128);
  put(out, chunk);
  return out;
}
Digest48 hashed(const Buffer& bytes) { return *sha384({bytes}); }

Buffer code() {
  Buffer out(8192);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(i * 31 >> 3);
  return out;
}
constexpr uint64_t kCodeAt = 0xffffe000, kStackAt = 0x810000;
const std::vector<Section> kSections{
    {0, 8192, kCodeAt, 8192, 0, 1}, {0, 0, kStackAt, 4096, 3, 0}, {0, 0, 0x900000, 8192, 3, 2}};
}  // namespace

TEST_CASE("predict.tdx: MRTD is the equation of the TDX module's specification, in both orders of hosts") {
  const Buffer bytes = code();
  const Buffer firmware = image(kSections, bytes);
  Buffer single, two_pass;
  for (uint64_t page = 0; page < 8192; page += 4096) put(two_pass, page_add(kCodeAt + page));
  for (uint64_t page = 0; page < 8192; page += 4096) {
    put(single, page_add(kCodeAt + page));
    for (uint64_t chunk = page; chunk < page + 4096; chunk += 256) {
      Buffer extend = mr_extend(kCodeAt + chunk, Bytes(bytes).skip(chunk).first(256));
      put(single, extend);
      put(two_pass, extend);
    }
  }
  put(single, page_add(kStackAt));
  put(two_pass, page_add(kStackAt));
  auto by_page = predict_mrtd(firmware, PageOrder::page_by_page);
  REQUIRE_MESSAGE(by_page.ok(), named(by_page.code()), " ", std::string(by_page.error().site));
  CHECK(*by_page == hashed(single));
  CHECK(*predict_mrtd(firmware, PageOrder::section_by_section) == hashed(two_pass));

  // Memory beyond the section's data is zeros, and measured as such.
  std::vector<Section> padded = kSections;
  padded[0].size = 300;
  Buffer changed = bytes;
  std::fill(changed.begin() + 300, changed.end(), uint8_t{0});
  CHECK(*predict_mrtd(image(padded, bytes), PageOrder::page_by_page) ==
        *predict_mrtd(image(kSections, changed), PageOrder::page_by_page));
}

TEST_CASE("predict.tdx: a flipped bit of what is measured changes MRTD; what is not, does not") {
  Buffer firmware = image(kSections, code());
  Digest48 sound = *predict_mrtd(firmware, PageOrder::page_by_page);
  for (size_t byte : {size_t{0}, size_t{4096}, size_t{8191}}) {
    firmware[byte] ^= 1;
    CHECK(*predict_mrtd(firmware, PageOrder::page_by_page) != sound);
    firmware[byte] ^= 1;
  }
  firmware.back() ^= 1;  // the reset vector, here in no section
  CHECK(*predict_mrtd(firmware, PageOrder::page_by_page) == sound);
}

TEST_CASE("predict.tdx: what is no TDVF is refused") {
  const Buffer sound = image(kSections, code());
  REQUIRE(tdvf_sections(sound).ok());
  CHECK(tdvf_sections(sound)->size() == 3);
  auto code_of = [](const std::vector<Section>& sections) { return tdvf_sections(image(sections, code())).code(); };
  CHECK(code_of({}) == Code::firmware_malformed);
  CHECK(code_of({{0, 8193, kCodeAt, 8192, 0, 1}}) == Code::firmware_malformed);          // more data than memory
  CHECK(code_of({{0, 0, kCodeAt + 1, 4096, 0, 1}}) == Code::firmware_malformed);         // no whole page
  CHECK(code_of({{0, 0, kCodeAt, 4095, 0, 1}}) == Code::firmware_malformed);
  CHECK(code_of({{0xffffffff, 1, kCodeAt, 4096, 0, 1}}) == Code::firmware_malformed);    // beyond the file
  CHECK(code_of({{1, 0xffffffff, kCodeAt, uint64_t{1} << 40, 0, 1}}) == Code::firmware_malformed);
  CHECK(code_of({{0, 0, UINT64_MAX - 4095, 8192, 3, 0}}) == Code::firmware_malformed);   // beyond the address space
  CHECK(code_of({{0, 0, 0, uint64_t{4096} * 65537, 3, 0}}) == Code::firmware_malformed); // too many pages
  CHECK(code_of({{0, 0, 0, 4096, 3, 3}}) == Code::firmware_malformed);                   // measured, but not added
  CHECK(code_of({{0, 0, 0, 4096, 3, 4}}) == Code::firmware_malformed);                   // an unknown attribute
  CHECK(code_of(std::vector<Section>(65, Section{0, 0, 0, 4096, 3, 0})) == Code::firmware_malformed);
  for (size_t size = 0; size < sound.size(); size += 7) {
    CHECK(tdvf_sections(Bytes(sound).skip(sound.size() - size)).code() == Code::firmware_malformed);
  }
}

TEST_CASE("predict.tdx: RTMR2 is the SHA-384 of what PCRs 11 and 9 take, in the order of the boot") {
  Buffer uki = load("uki/small.efi");
  auto pcrs = predict_pcrs(uki);
  REQUIRE(pcrs.ok());
  auto rtmr = predict_rtmr2(uki);
  REQUIRE_MESSAGE(rtmr.ok(), named(rtmr.code()));
  CHECK(rtmr->index == 2);
  // The same things in the same order: their names are those of the PCRs, which a real boot confirmed.
  std::vector<std::string> names;
  for (uint8_t index : {uint8_t{11}, uint8_t{9}}) {
    for (const PcrReference& pcr : *pcrs) {
      for (const ReferenceEvent& event : pcr.events) {
        if (pcr.index == index) names.push_back(event.component);
      }
    }
  }
  REQUIRE(rtmr->events.size() == names.size());
  Digest48 value{};
  for (size_t i = 0; i < names.size(); ++i) {
    CHECK(rtmr->events[i].component == names[i]);
    value = *sha384({value, rtmr->events[i].digest});
  }
  CHECK(rtmr->expected == std::vector<Digest48>{value});
  CHECK(names.front() == "section .linux");
  CHECK(rtmr->events.front().digest == *sha384({Bytes(std::string_view(".linux", 7))}));
}
