// small.efi and the values of all UKIs here come from tests/data/predict.py, a second implementation; that both agree
// with a machine is tests/data/make_eventlog.sh and tests/e2e.
#include "attest/predict/uki.h"

#include "attest/tpm/eventlog.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;

namespace {
std::string listing(const std::vector<PcrReference>& pcrs) {
  std::string out;
  for (const PcrReference& pcr : pcrs) {
    for (const ReferenceEvent& event : pcr.events) out += std::to_string(pcr.index) + " " + to_hex(event.digest) + "\n";
    out += "pcr " + std::to_string(pcr.index) + " " + to_hex(pcr.expected[0]) + "\n";
  }
  return out;
}

// The first place of a section's name in the file: its header.
size_t header_of(const Buffer& uki, std::string_view name) {
  std::string padded(name);
  padded.resize(8, '\0');
  size_t at = Bytes(uki).text().find(padded.substr(0, 8));
  REQUIRE(at != std::string_view::npos);
  return at;
}

void rename(Buffer& uki, std::string_view from, std::string_view to) {
  std::string padded(to);
  padded.resize(8, '\0');
  std::copy(padded.begin(), padded.end(), uki.begin() + static_cast<std::ptrdiff_t>(header_of(uki, from)));
}

void replace(Buffer& uki, std::string_view from, std::string_view to) {
  REQUIRE(from.size() == to.size());
  size_t at = Bytes(uki).text().find(from);
  REQUIRE(at != std::string_view::npos);
  std::copy(to.begin(), to.end(), uki.begin() + static_cast<std::ptrdiff_t>(at));
}

void set_u32(Buffer& data, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) data[at + i] = static_cast<uint8_t>(value >> (8 * i));
}
}  // namespace

TEST_CASE("predict: a small image measures what the second implementation says") {
  Result<std::vector<PcrReference>> pcrs = predict_pcrs(load("uki/small.efi"));
  REQUIRE(pcrs.ok());
  REQUIRE(pcrs->size() == 4);
  CHECK(listing(*pcrs) == Bytes(load("uki/small.txt")).text());
  const PcrReference& nine = (*pcrs)[1];
  REQUIRE(nine.events.size() == 2);
  CHECK(nine.events[0].component == "kernel command line");
  CHECK(nine.events[1].component == "initrd");
  for (const PcrReference& pcr : *pcrs) CHECK(pcr.enforce);
  CHECK((*pcrs)[3].expected[0] == Digest32{});
}

TEST_CASE("predict: in the bank of a NitroTPM's document, too, the second implementation says the same") {
  Result<std::vector<NitroPcr>> pcrs = predict_nitro_pcrs(load("uki/small.efi"));
  REQUIRE(pcrs.ok());
  std::string listed;
  for (const NitroPcr& pcr : *pcrs) {
    REQUIRE(pcr.expected.size() == 1);
    listed += "pcr " + std::to_string(pcr.index) + " " + to_hex(pcr.expected[0]) + "\n";
  }
  CHECK(listed == Bytes(load("uki/small.sha384.txt")).text());
  CHECK(predict_nitro_pcrs(Bytes()).code() == Code::image_malformed);
}

TEST_CASE("predict: the events of a real boot are those that were predicted for its image") {
  ReferenceSet set = reference_set();
  Buffer data = load("boot/eventlog.bin");
  Result<tpm::EventLog> log = tpm::EventLog::decode(data);
  REQUIRE(log.ok());
  for (const PcrReference& pcr : set.pcrs) {
    std::vector<std::string> measured, predicted;
    for (const tpm::Event& event : log->events) {
      if (event.pcr == pcr.index && event.extends()) measured.push_back(to_hex(event.digest));
    }
    for (const ReferenceEvent& event : pcr.events) predicted.push_back(to_hex(event.digest));
    CHECK(measured == predicted);
  }
}

TEST_CASE("predict: one changed byte shows in the PCRs of what it belongs to") {
  Buffer good = load("uki/small.efi");
  std::vector<PcrReference> before = *predict_pcrs(good);
  struct Row {
    const char* from;
    const char* to;
    bool pcr4, pcr9, pcr11;
  };
  const Row rows[] = {
      {"an initrd of", "an initrd oF", true, true, true},
      {"quiet", "quieT", true, true, true},
      {"ID=small", "ID=smalL", true, true, true},
      {"6.12", "6.13", true, false, true},
      {"kernelkernel", "kernelkerneL", true, false, true},
      {"stub", "stuB", true, false, false},
      {"certificates are", "certificates arE", false, false, false},
      {"{}", "[]", true, true, false},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.from));
    Buffer changed = good;
    replace(changed, row.from, row.to);
    Result<std::vector<PcrReference>> after = predict_pcrs(changed);
    REQUIRE(after.ok());
    CHECK(((*after)[0].expected != before[0].expected) == row.pcr4);
    CHECK(((*after)[1].expected != before[1].expected) == row.pcr9);
    CHECK(((*after)[2].expected != before[2].expected) == row.pcr11);
  }
}

TEST_CASE("predict: what is no image, or none that can be predicted, is refused") {
  const Buffer good = load("uki/small.efi");
  struct Row {
    const char* name;
    std::function<void(Buffer&)> change;
    Code code;
  };
  // PE header at 0x40: machine 0x44, sections 0x46, size of the optional header 0x54, magic 0x58, SizeOfHeaders 0x94,
  // CheckSum 0x98, NumberOfRvaAndSizes 0xc4, certificate entry 0xe8.
  const Row rows[] = {
      {"empty", [](Buffer& b) { b.clear(); }, Code::image_malformed},
      {"not MZ", [](Buffer& b) { b[0] = 'X'; }, Code::image_malformed},
      {"PE header beyond the end", [](Buffer& b) { set_u32(b, 0x3c, 0x7fffffff); }, Code::image_malformed},
      {"no PE signature", [](Buffer& b) { b[0x40] = 'X'; }, Code::image_malformed},
      {"another machine", [](Buffer& b) { b[0x44] = 0x4c; }, Code::image_malformed},
      {"32 bit", [](Buffer& b) { b[0x58] = 0x0b, b[0x59] = 0x01; }, Code::image_malformed},
      {"no sections", [](Buffer& b) { b[0x46] = 0; }, Code::image_malformed},
      {"too many sections", [](Buffer& b) { b[0x46] = 97; }, Code::image_malformed},
      {"headers larger than the file", [](Buffer& b) { set_u32(b, 0x94, 0xffffffff); }, Code::image_malformed},
      {"headers smaller than the section table", [](Buffer& b) { set_u32(b, 0x94, 0x100); }, Code::image_malformed},
      {"more directories than there is room", [](Buffer& b) { set_u32(b, 0xc4, 17); }, Code::image_malformed},
      {"certificates larger than the file", [](Buffer& b) { set_u32(b, 0xec, 0xffffffff); }, Code::image_malformed},
      {"certificates that cover sections", [](Buffer& b) { set_u32(b, 0xec, 1000); }, Code::image_malformed},
      {"a section beyond the end", [](Buffer& b) { set_u32(b, header_of(b, ".osrel") + 20, 0x7fffffff); },
       Code::image_malformed},
      {"a section longer in memory than in the file",
       [](Buffer& b) { set_u32(b, header_of(b, ".osrel") + 8, 4096); }, Code::image_malformed},
      {"a section twice", [](Buffer& b) { rename(b, ".ucode", ".osrel"); }, Code::image_malformed},
      {"no kernel", [](Buffer& b) { rename(b, ".linux", ".xxxxx"); }, Code::image_malformed},
      {"no command line of its own", [](Buffer& b) { rename(b, ".cmdline", ".xxxxx"); }, Code::image_malformed},
      {"no initrd", [](Buffer& b) { rename(b, ".initrd", ".xxxxx"); }, Code::image_malformed},
      {"no stub", [](Buffer& b) { rename(b, ".sdmagic", ".xxxxx"); }, Code::image_malformed},
      {"another stub", [](Buffer& b) { replace(b, "systemd-stub 257", "systemd-stub 252"); }, Code::unsupported},
      {"profiles", [](Buffer& b) { rename(b, ".ucode", ".profile"); }, Code::unsupported},
      {"a device tree", [](Buffer& b) { rename(b, ".ucode", ".dtbauto"); }, Code::unsupported},
      {"hardware ids", [](Buffer& b) { rename(b, ".ucode", ".hwids"); }, Code::unsupported},
      {"a command line with a control character", [](Buffer& b) { replace(b, "ttyS0 quiet", "ttyS0\tquiet"); },
       Code::unsupported},
      {"a kernel that is no PE file", [](Buffer& b) { set_u32(b, header_of(b, ".linux") + 8, 60); },
       Code::image_malformed},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Buffer bad = good;
    row.change(bad);
    CHECK(named(predict_pcrs(bad).code()) == named(row.code));
  }
}

TEST_CASE("predict: every truncation is refused") {
  const Buffer good = load("uki/small.efi");
  for (size_t n = 0; n < good.size(); ++n) {
    // What is cut off of the certificates at the end is not measured, but their size no longer fits.
    Result<std::vector<PcrReference>> pcrs = predict_pcrs(Buffer(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n)));
    CHECK(!pcrs.ok());
  }
}
