// What firmware measured of real disks, from event logs of real boots: our OVMF (tests/data/boot), a physical machine and
// cloud machines (Debian's golang-github-google-go-eventlog-dev and …go-attestation-dev; CSTL_EVIDENCE names where). A
// disk is put together from each event; its checksums are the partitioning tools' own. And RTMR1 as a whole: a cloud TD's
// event log, whose registers that package states (tests/attest/tpm/real_logs_test.cc compares them with the replay).
#include "attest/predict/gpt.h"

#include <cstdlib>

#include "attest/predict/tdx.h"
#include "attest/tpm/eventlog.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;

namespace {
constexpr uint32_t kGptEventType = 0x80000006, kApplication = 0x80000003;
constexpr size_t kHeader = 92, kEntries = 1024, kCount = 128;

Buffer real_log(const std::string& path) {
  const char* evidence = std::getenv("CSTL_EVIDENCE");
  REQUIRE_MESSAGE(evidence != nullptr, "set CSTL_EVIDENCE to what tools/deps/evidence.sh --print-prefix prints");
  Result<Buffer> data =
      read_file((std::string(evidence) + "/usr/share/gocode/src/github.com/google/" + path).c_str(), size_t{1} << 20);
  REQUIRE_MESSAGE(data.ok(), path);
  return *data;
}

Bytes measured_table(const tpm::EventLog& log) {
  for (const tpm::Event& event : log.events) {
    if (event.type == kGptEventType) return event.data;
  }
  return Bytes();
}

// All of them have 128 entries, the used ones in front.
Buffer disk_of(Bytes event) {
  Buffer disk(kEntries + kCount * kGptEntry);
  const Bytes header = event.first(kHeader), entries = event.skip(kHeader + 8);
  std::copy(header.begin(), header.end(), disk.begin() + kGptSector);
  std::copy(entries.begin(), entries.end(), disk.begin() + kEntries);
  return disk;
}

void set_u32(Buffer& data, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) data[at + i] = static_cast<uint8_t>(value >> (8 * i));
}
}  // namespace

TEST_CASE("predict.gpt: what firmware measured of real disks is what is predicted for them") {
  struct Row { const char* path; tpm::LogFormat format; } rows[] = {
      {"", tpm::kPcrLog},
      {"go-eventlog/testdata/eventlogs/tpm/arch-linux-workstation.bin", tpm::kPcrLog},
      {"go-eventlog/testdata/eventlogs/tpm/cos-85-amd-sev.bin", tpm::kPcrLog},
      {"go-eventlog/testdata/eventlogs/tpm/cos-101-amd-sev.bin", tpm::kPcrLog},
      {"go-eventlog/testdata/eventlogs/ccel/cos-113-intel-tdx.bin", tpm::kCcLog}};
  for (const Row& row : rows) {
    CAPTURE(std::string(row.path));
    const Buffer data = row.path[0] == 0 ? load("boot/eventlog.bin") : real_log(row.path);
    auto log = tpm::EventLog::decode(data, row.format);
    REQUIRE(log.ok());
    const Bytes measured = measured_table(*log);
    REQUIRE(measured.size() > kHeader + 8);
    auto event = gpt_event(disk_of(measured));
    REQUIRE_MESSAGE(event.ok(), named(event.code()), " ", std::string(event.error().site));
    CHECK(Bytes(*event).text() == measured.text());
  }
}

TEST_CASE("predict.tdx: RTMR1 of a real TD is that of its boot path") {
  const Buffer data = real_log("go-eventlog/testdata/eventlogs/ccel/cos-113-intel-tdx.bin");
  auto log = tpm::EventLog::decode(data, tpm::kCcLog);
  REQUIRE(log.ok());
  std::vector<tdx::RtmrEvent> images;  // a shim and GRUB: their files are not in the package, their hashes are
  std::vector<std::string> measured;
  for (const tpm::Event& event : log->events) {
    if (event.pcr != 2 || !event.extends()) continue;
    measured.push_back(to_hex(event.digest));
    if (event.type != kApplication) continue;
    tdx::RtmrEvent image;
    REQUIRE(event.digest.size() == image.digest.size());
    std::copy(event.digest.begin(), event.digest.end(), image.digest.begin());
    images.push_back(image);
  }
  REQUIRE(images.size() == 2);
  auto gpt = gpt_event(disk_of(measured_table(*log)));
  REQUIRE(gpt.ok());
  auto rtmr1 = boot_path_rtmr1(*gpt, images);
  REQUIRE(rtmr1.ok());
  std::vector<std::string> predicted;
  for (const tdx::RtmrEvent& event : rtmr1->events) predicted.push_back(to_hex(event.digest));
  CHECK(predicted == measured);
  uint32_t present = 0;
  CHECK(rtmr1->expected == std::vector<Digest48>{log->replay_rtmrs(present)[1]});
  CHECK((present & 2) != 0);
}

TEST_CASE("predict.tdx: RTMR1 of a small image on a small disk is what the second implementation says") {
  // disk.bin: three sectors that sfdisk made; small.rtmr1.txt: tests/data/predict.py --rtmr1.
  const Buffer uki = load("uki/small.efi");
  auto listing = [&](const Buffer& disk) {
    auto rtmr1 = predict_rtmr1(uki, disk);
    REQUIRE_MESSAGE(rtmr1.ok(), named(rtmr1.code()));
    CHECK(rtmr1->index == 1);
    std::string out;
    for (const tdx::RtmrEvent& event : rtmr1->events) out += "1 " + to_hex(event.digest) + "\n";
    return out + "rtmr 1 " + to_hex(rtmr1->expected.at(0)) + "\n";
  };
  Buffer disk = load("uki/disk.bin");
  CHECK(listing(disk) == Bytes(load("uki/small.rtmr1.txt")).text());
  CHECK(predict_rtmr1(uki, disk)->events.at(2).component == "partition table");
  CHECK(predict_rtmr1(uki, Buffer(1024))->events.size() == 6);  // a file system right on the disk: no such event
  Buffer other = uki;
  const size_t at = Bytes(other).text().find("kernelkernel");
  other[at] ^= 1;  // in the kernel, and so in the image
  CHECK(predict_rtmr1(other, disk)->events[3].digest != predict_rtmr1(uki, disk)->events[3].digest);
  CHECK(predict_rtmr1(other, disk)->events[4].digest != predict_rtmr1(uki, disk)->events[4].digest);
}

TEST_CASE("predict.gpt: a table that firmware would not use is refused, and so is a disk that is too short to tell") {
  const Buffer good = load("uki/disk.bin");
  REQUIRE(gpt_event(good)->size() == kHeader + 8 + 2 * kGptEntry);
  struct Row {
    const char* name;
    std::function<void(Buffer&)> change;
    Code code;
  };
  const Row rows[] = {
      {"empty", [](Buffer& b) { b.clear(); }, Code::bad_value},
      {"one sector", [](Buffer& b) { b.resize(kGptSector); }, Code::bad_value},
      {"entries cut off", [](Buffer& b) { b.pop_back(); }, Code::bad_value},
      {"another revision", [](Buffer& b) { b[512 + 8] ^= 1; }, Code::bad_value},
      {"a header shorter than its members", [](Buffer& b) { set_u32(b, 512 + 12, 91); }, Code::bad_value},
      {"a header longer than its sector", [](Buffer& b) { set_u32(b, 512 + 12, 513); }, Code::bad_value},
      {"a wrong checksum", [](Buffer& b) { b[512 + 16] ^= 1; }, Code::bad_value},
      {"a changed disk GUID", [](Buffer& b) { b[512 + 56] ^= 1; }, Code::bad_value},
      {"a changed entry", [](Buffer& b) { b[1024] ^= 1; }, Code::bad_value},
      {"a copy of the header at the end", [](Buffer& b) { b[512 + 24] = 2; }, Code::bad_value},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.name));
    Buffer bad = good;
    row.change(bad);
    CHECK(named(gpt_event(bad).code()) == named(row.code));
  }
  Buffer large(4096);
  large.insert(large.end(), good.begin() + 512, good.begin() + 1024);
  CHECK(gpt_event(large).code() == Code::unsupported);
  CHECK(gpt_event(Buffer(1024))->empty());
  // Every bit of header and entries is measured, or guarded by a checksum, or both.
  for (size_t at = 512; at < 512 + kHeader; ++at) {
    Buffer bad = good;
    bad[at] ^= 0x10;
    auto event = gpt_event(bad);
    CHECK((at < 520 ? event.ok() && event->empty() : !event.ok()));  // without its name, there is no table
  }
}
