#include "attest/tpm/eventlog.h"

#include <unistd.h>

#include "attest/tpm/log_file.h"
#include "attest/tpm/verify.h"
#include "tests/attest/tpm/log_builder.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

namespace {
const std::string_view kLocality3("StartupLocality\0\3", 17);

std::string text_file(const std::string& path) {
  Result<Buffer> data = read_file(path.c_str(), size_t{1} << 22);
  REQUIRE_MESSAGE(data.ok(), path);
  return data.ok() ? std::string(data->begin(), data->end()) : "";
}
}  // namespace

TEST_CASE("event log: each rule of its form") {
  const Buffer good = header();
  struct Row {
    const char* name;
    Buffer log;
    Code code;
  };
  Buffer not_first = header();
  not_first[0] = 1;
  Buffer surplus_spec = header();
  surplus_spec[28] = static_cast<uint8_t>(surplus_spec[28] + 1);
  surplus_spec.push_back(0);
  Buffer none_given = good + event(0, 1, "x", {});
  Buffer many = good;
  Buffer version1 = header();
  version1[53] = 1;
  Buffer no_action_bare = good;
  put_u32(no_action_bare, 0xffffffff);
  put_u32(no_action_bare, 3);
  put_u32(no_action_bare, 0);
  put_u32(no_action_bare, 0);
  Buffer mixed_padding = good + Buffer(40, 0);
  mixed_padding.back() = 1;
  for (size_t i = 0; i < kMaxEvents + 1; ++i) many = std::move(many) + event(0, 1, "");
  const Row rows[] = {
      {"only a header", good, Code::ok},
      {"one event", good + event(0, 1), Code::ok},
      {"two banks", header({kSha1, kSha256}) + event(0, 1, "x", {kSha1, kSha256}), Code::ok},
      {"nothing", {}, Code::truncated},
      {"a log of the old format", header({kSha256}, {"Spec ID Event00\0", 16}), Code::log_bank},
      {"a header in another PCR", not_first, Code::log_malformed},
      {"no SHA-256 bank", header({kSha1}), Code::log_bank},
      {"SHA-256 of another size", header({{0x000b, 20}}), Code::log_malformed},
      {"no bank", header({}), Code::log_malformed},
      {"a bank whose digests have no bytes", header({kSha256, {0x0004, 0}}), Code::log_malformed},
      {"a bank twice", header({kSha256, kSha256}), Code::log_malformed},
      {"too many banks", header(std::vector<Bank>(17, kSha256)), Code::log_malformed},
      {"a header with something behind", surplus_spec, Code::trailing},
      {"PCR 24", good + event(24, 1), Code::log_malformed},
      {"another version of the format", version1, Code::log_malformed},
      {"information without digests", no_action_bare, Code::ok},
      {"zeros behind", good + event(0, 1) + Buffer(4096, 0), Code::ok},
      {"ones behind", good + event(0, 1) + Buffer(4096, 0xff), Code::ok},
      {"one zero behind", good + event(0, 1) + Buffer(1, 0), Code::ok},
      {"padding that is not all the same", mixed_padding, Code::log_malformed},
      {"only padding", Buffer(4096, 0xff), Code::truncated},
      {"information about no PCR", good + event(0xffffffff, 3), Code::ok},
      {"an event without digests", none_given, Code::log_malformed},
      {"an event of another bank", good + event(0, 1, "x", {kSha1}), Code::log_malformed},
      {"an event without SHA-256", header({kSha1, kSha256}) + event(0, 1, "x", {kSha1}), Code::log_malformed},
      {"an event with SHA-256 twice", header({kSha1, kSha256}) + event(0, 1, "x", {kSha256, kSha256}),
       Code::log_malformed},
      {"more digests than banks", good + event(0, 1, "x", {kSha256, kSha256}), Code::log_malformed},
      {"too many events", many, Code::too_long},
      {"a log too long", Buffer(kMaxEventLogInput + 1), Code::too_long},
      {"startup locality 3", good + event(0, 3, kLocality3), Code::ok},
      {"a startup locality twice", good + event(0, 3, kLocality3) + event(0, 3, kLocality3), Code::log_malformed},
      {"a startup locality after an event", good + event(0, 1) + event(0, 3, kLocality3), Code::log_malformed},
      {"a startup locality in PCR 1", good + event(1, 3, kLocality3), Code::log_malformed},
      {"startup locality 2", good + event(0, 3, {"StartupLocality\0\2", 17}), Code::log_malformed},
      {"a startup locality without its value", good + event(0, 3, {"StartupLocality\0", 16}), Code::log_malformed},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    CHECK(named(EventLog::decode(row.log).code()) == named(row.code));
  }
}

TEST_CASE("event log: the rules of a confidential computing log") {
  const Bank kSha384{0x000c, 48};
  Buffer good = header({kSha384});
  good[0] = 1;  // RTMR0, as OVMF writes it
  struct Row {
    const char* name;
    Buffer log;
    Code code;
  };
  const Row rows[] = {
      {"only a header", good, Code::ok},
      {"RTMR0", good + event(1, 1, "x", {kSha384}), Code::ok},
      {"RTMR3", good + event(4, 1, "x", {kSha384}), Code::ok},
      {"no register of TDX", good + event(5, 1, "x", {kSha384}), Code::log_malformed},
      {"MRTD, which nothing extends", good + event(0, 1, "x", {kSha384}), Code::log_malformed},
      {"information about MRTD", good + event(0, 3, "x", {kSha384}), Code::ok},
      {"SHA-256 only", header(), Code::log_bank},
      {"an area of 256 KiB", good + event(1, 1, "x", {kSha384}) + Buffer(262144, 0xff), Code::ok},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    CHECK(named(EventLog::decode(row.log, kCcLog).code()) == named(row.code));
  }
  Buffer area = good + event(1, 1, "x", {kSha384}) + event(3, 1, "x", {kSha384});
  Result<EventLog> log = EventLog::decode(area + Buffer(262144, 0xff), kCcLog);
  REQUIRE(log.ok());
  CHECK(log->size == area.size());
  uint32_t present = 0;
  auto rtmrs = log->replay_rtmrs(present);
  CHECK(present == (1u << 0 | 1u << 2));
  Digest48 digest, zero{};
  digest.fill(0x11);
  CHECK(rtmrs[0] == *sha384({zero, digest}));
  CHECK(rtmrs[1] == zero);
  CHECK(rtmrs[2] == rtmrs[0]);
  // A log of one kind never yields the other's values.
  PcrValues pcrs = log->replay(present);
  CHECK(present == 0xffffff);
  CHECK(pcrs[1] != Digest32{});
  Buffer tpm_log = header() + event(1, 1);
  rtmrs = EventLog::decode(tpm_log)->replay_rtmrs(present);
  CHECK(present == 0xf);
  CHECK(rtmrs[0] != zero);
}

TEST_CASE("event log: PCR 5 may end with an exit from boot services that is not logged") {
  auto extend = [](Digest32 value, std::vector<const char*> words) {
    for (const char* w : words) value = *sha256({value, *sha256({Bytes(w)})});
    return value;
  };
  const char* kInvoked = "Exit Boot Services Invocation";
  const char* kWell = "Exit Boot Services Returned with Success";
  const char* kBadly = "Exit Boot Services Returned with Failure";
  struct Row {
    std::vector<const char*> words;
    bool ok;
  };
  const Row rows[] = {{{}, true},
                      {{kInvoked, kWell}, true},
                      {{kInvoked, kBadly}, true},
                      {{kInvoked, kBadly, kWell}, true},
                      {{kInvoked, kBadly, kInvoked, kWell}, true}, {{kInvoked}, false}, {{kWell}, false},
                      {{kInvoked, kWell, kWell}, false}, {{"Boot"}, false}};
  Buffer data = header() + event(4, 1) + event(5, 1);
  Result<EventLog> log = EventLog::decode(data);
  REQUIRE(log.ok());
  uint32_t present = 0, pcr = 0;
  const PcrValues replayed = log->replay(present);
  for (const Row& row : rows) {
    PcrValues quoted = replayed;
    quoted[5] = extend(replayed[5], row.words);
    CHECK(check_replay(*log, quoted, pcr).ok() == row.ok);
    PcrValues other = replayed;
    other[4] = extend(replayed[4], row.words);  // another register has no such ending
    CHECK(check_replay(*log, other, pcr).ok() == row.words.empty());
  }
}

TEST_CASE("event log: a measured launch without a StartupLocality event") {
  Digest32 digest, start{};
  digest.fill(0x11);
  start[31] = 4;
  uint32_t present = 0;
  Buffer hcrtm = header() + event(0, 0x80000010, "HCRTM");
  CHECK(EventLog::decode(hcrtm)->replay(present)[0] == *sha256({start, digest}));
  Buffer later = header() + event(0, 1) + event(0, 0x80000010, "HCRTM");
  Digest32 zero{};
  CHECK(EventLog::decode(later)->replay(present)[0] == *sha256({*sha256({zero, digest}), digest}));
  Buffer said = header() + event(0, 3, kLocality3) + event(0, 0x80000010, "HCRTM");
  start[31] = 3;
  CHECK(EventLog::decode(said)->replay(present)[0] == *sha256({start, digest}));
}

TEST_CASE("event log: a machine's own log goes into evidence without its padding") {
  char path[] = "/tmp/cstl-eventlog-XXXXXX";
  int fd = mkstemp(path);
  REQUIRE(fd >= 0);
  auto put_file = [&](const Buffer& data) {
    CHECK(ftruncate(fd, 0) == 0);
    CHECK(pwrite(fd, data.data(), data.size(), 0) == static_cast<ssize_t>(data.size()));
  };
  Buffer log = header() + event(0, 1) + event(4, 1);
  put_file(log + Buffer(262144, 0xff));
  Result<Buffer> read = read_log_file(path, kPcrLog, kMaxEventLog);
  REQUIRE(read.ok());
  CHECK(*read == log);
  read = read_log_file(path, kPcrLog, log.size() - 1);
  REQUIRE(read.ok());
  CHECK(read->empty());
  put_file(Buffer(100, 7));  // no log: for the verifier to refuse
  CHECK(*read_log_file(path, kPcrLog, kMaxEventLog) == Buffer(100, 7));
  put_file(Buffer(kMaxEventLogInput + 1));
  CHECK(read_log_file(path, kPcrLog, kMaxEventLog).code() == Code::too_long);
  close(fd);
  unlink(path);
  CHECK(read_log_file(path, kPcrLog, kMaxEventLog).code() == Code::not_found);
}

TEST_CASE("event log: replay starts from the startup locality and leaves information out") {
  Buffer data = header() + event(0, 3, kLocality3) + event(0, 1) + event(4, 4) + event(5, 3);
  Result<EventLog> log = EventLog::decode(data);
  REQUIRE(log.ok());
  uint32_t present = 0;
  PcrValues pcrs = log->replay(present);
  CHECK(present == (1u << 0 | 1u << 4));
  Digest32 digest;
  digest.fill(0x11);
  Digest32 start{};
  CHECK(pcrs[4] == *sha256({start, digest}));
  start[31] = 3;
  CHECK(pcrs[0] == *sha256({start, digest}));
  CHECK(pcrs[1] == Digest32{});
}

TEST_CASE("event log: a real boot replays to the PCRs that its kernel read") {
  Buffer data = load("boot/eventlog.bin");
  Result<EventLog> log = EventLog::decode(data);
  REQUIRE(log.ok());
  uint32_t present = 0;
  PcrValues pcrs = log->replay(present);
  CHECK(present == 0x0aff);  // 0–7, 9, 11
  std::string text = text_file("tests/data/boot/pcrs.txt");
  for (size_t i = 0; i < kPcrCount; ++i) {
    if ((present >> i & 1) == 0) continue;
    CHECK(text.find(std::to_string(i) + " " + to_hex(pcrs[i]) + "\n") != std::string::npos);
  }
}

TEST_CASE("event log: components and texts of a real boot") {
  Buffer data = load("boot/eventlog.bin");
  Result<EventLog> log = EventLog::decode(data);
  REQUIRE(log.ok());
  std::string all;
  for (const Event& e : log->events) {
    if (e.pcr == 9 || e.pcr == 4) {
      all += std::string(event_type_name(e.type)) + "|" + event_component(e) + "|" + event_text(e) + "\n";
    }
  }
  CHECK(all ==
        "EV_EFI_ACTION|boot attempt|Calling EFI Application from Boot Option\n"
        "EV_SEPARATOR|separator|\n"
        "EV_EFI_BOOT_SERVICES_APPLICATION|unified kernel image or its kernel|PciRoot(0x0)/Pci(0x1,0x0)/"
        "HD(1,GPT,6373746c-0000-4000-8000-000000000001)/\\EFI\\BOOT\\BOOTX64.EFI\n"
        "EV_EFI_BOOT_SERVICES_APPLICATION|unified kernel image or its kernel|"
        "VenMedia(55c5d1f8-04cd-46b5-8a20-e56cbb3052d0)\n"
        "EV_EVENT_TAG|kernel command line|LOADED_IMAGE::LoadOptions\n"
        "EV_EVENT_TAG|initrd|Linux initrd\n");
  CHECK(event_type_name(0xdeadbeef) == std::string("unknown"));
  Event hostile;
  hostile.pcr = 12;
  hostile.type = 13;
  hostile.data = Bytes("\x1b[2Jevil\n");
  CHECK(event_text(hostile) == ".[2Jevil.");
}

TEST_CASE("event log: every cut is refused or a shorter log; a flipped bit replays the same only where it informs") {
  Buffer data = load("boot/eventlog.bin");
  uint32_t present = 0;
  PcrValues pcrs = EventLog::decode(data)->replay(present);
  size_t shorter = 0, same = 0;
  each_damage(data, [&](const Buffer& damaged, const std::string&) {
    Result<EventLog> log = EventLog::decode(damaged);
    if (!log.ok()) return;
    uint32_t seen = 0;
    bool equal_values = log->replay(seen) == pcrs && seen == present;
    if (damaged.size() < data.size()) ++shorter;
    else same += equal_values ? 1 : 0;
  });
  CHECK(shorter > 0);            // cut between events: replays to other values, or the last event only informs
  CHECK(same < data.size() * 8);  // digests and PCR numbers are covered; descriptions are not
}
