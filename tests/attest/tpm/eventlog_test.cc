// Real machines' logs come from Debian packages (tools/deps/evidence.sh); CSTL_EVIDENCE names where they are.
#include "attest/tpm/eventlog.h"

#include <cstdlib>

#include "attest/tpm/verify.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

namespace {
void put_u16(Buffer& out, unsigned v) { out.insert(out.end(), {static_cast<uint8_t>(v), static_cast<uint8_t>(v >> 8)}); }
void put_u32(Buffer& out, uint32_t v) {
  put_u16(out, v & 0xffff);
  put_u16(out, v >> 16);
}
void put(Buffer& out, std::string_view text) { out.insert(out.end(), text.begin(), text.end()); }

struct Bank {
  unsigned id, size;
};
constexpr Bank kSha256{0x000b, 32}, kSha1{0x0004, 20};

Buffer header(std::vector<Bank> banks = {kSha256}, std::string_view signature = {"Spec ID Event03\0", 16}) {
  Buffer spec;
  put(spec, signature);
  put_u32(spec, 0);
  spec.insert(spec.end(), {0, 2, 0, 2});
  put_u32(spec, static_cast<uint32_t>(banks.size()));
  for (Bank bank : banks) {
    put_u16(spec, bank.id);
    put_u16(spec, bank.size);
  }
  spec.push_back(0);
  Buffer out;
  put_u32(out, 0);
  put_u32(out, 3);
  out.insert(out.end(), 20, 0);
  put_u32(out, static_cast<uint32_t>(spec.size()));
  out.insert(out.end(), spec.begin(), spec.end());
  return out;
}

Buffer event(uint32_t pcr, uint32_t type, std::string_view data = "x", std::vector<Bank> banks = {kSha256}) {
  Buffer out;
  put_u32(out, pcr);
  put_u32(out, type);
  put_u32(out, static_cast<uint32_t>(banks.size()));
  for (Bank bank : banks) {
    put_u16(out, bank.id);
    out.insert(out.end(), bank.size, 0x11);
  }
  put_u32(out, static_cast<uint32_t>(data.size()));
  put(out, data);
  return out;
}

Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::string_view kLocality3("StartupLocality\0\3", 17);

// CSTL_EVIDENCE, or a failure that says what to do.
std::string evidence() {
  const char* path = std::getenv("CSTL_EVIDENCE");
  REQUIRE_MESSAGE(path != nullptr, "set CSTL_EVIDENCE to what tools/deps/evidence.sh --print-prefix prints");
  return path == nullptr ? "" : std::string(path) + "/usr/share/gocode/src/github.com/google/";
}

std::string text_file(const std::string& path) {
  Result<Buffer> data = read_file(path.c_str(), size_t{1} << 22);
  REQUIRE_MESSAGE(data.ok(), path);
  return data.ok() ? std::string(data->begin(), data->end()) : "";
}

std::string between(const std::string& text, size_t from, std::string_view start, std::string_view end, size_t* after) {
  size_t a = text.find(start, from);
  if (a == std::string::npos) return {};
  a += start.size();
  size_t b = text.find(end, a);
  if (b == std::string::npos) return {};
  if (after != nullptr) *after = b;
  return text.substr(a, b - a);
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
      {"a bank twice", header({kSha256, kSha256}), Code::log_malformed},
      {"too many banks", header(std::vector<Bank>(17, kSha256)), Code::log_malformed},
      {"a header with something behind", surplus_spec, Code::trailing},
      {"PCR 24", good + event(24, 1), Code::log_malformed},
      {"information about no PCR", good + event(0xffffffff, 3), Code::ok},
      {"an event without digests", none_given, Code::log_malformed},
      {"an event of another bank", good + event(0, 1, "x", {kSha1}), Code::log_malformed},
      {"an event without SHA-256", header({kSha1, kSha256}) + event(0, 1, "x", {kSha1}), Code::log_malformed},
      {"an event with SHA-256 twice", header({kSha1, kSha256}) + event(0, 1, "x", {kSha256, kSha256}), Code::log_malformed},
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
        "EV_EFI_BOOT_SERVICES_APPLICATION|unified kernel image or its kernel|144 bytes\n"
        "EV_EFI_BOOT_SERVICES_APPLICATION|unified kernel image or its kernel|56 bytes\n"
        "EV_EVENT_TAG|kernel command line|LOADED_IMAGE::LoadOptions\n"
        "EV_EVENT_TAG|initrd|Linux initrd\n");
  CHECK(event_type_name(0xdeadbeef) == std::string("unknown"));
  Event hostile;
  hostile.pcr = 12;
  hostile.type = 13;
  hostile.data = Bytes("\x1b[2Jevil\n");
  CHECK(event_text(hostile) == ".[2Jevil.");
}

TEST_CASE("event log: every truncation is refused or a shorter log, and no flipped bit replays the same unless it only informs") {
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

TEST_CASE("event log: logs of real machines replay to the values that their packages state") {
  std::string root = evidence() + "go-eventlog/";
  std::string names = text_file(root + "testdata/eventlog_data.go");
  std::string tests = text_file(root + "tpmeventlog/replay_test.go");
  size_t machines = 0, values = 0;
  for (size_t at = 0;;) {
    size_t next = 0;
    std::string variable = between(tests, at, "RawLog: testdata.", ",", &next);
    if (variable.empty()) break;
    at = next;
    size_t end = tests.find("RawLog: testdata.", at);
    std::string block = tests.substr(at, end == std::string::npos ? end : end - at);
    std::string bank = between(block, 0, "MakePCRBank(pb.HashAlgo_SHA256, map[uint32][]byte{", "}),", nullptr);
    size_t declared = names.find("\t" + variable + " []byte");
    REQUIRE(declared != std::string::npos);
    size_t embed = names.rfind("//go:embed ", declared) + 11;
    std::string file = names.substr(embed, names.find('\n', embed) - embed);
    INFO(file);
    Result<Buffer> data = read_file((root + "testdata/" + file).c_str(), kMaxEventLog);
    REQUIRE(data.ok());
    Result<EventLog> log = EventLog::decode(*data);
    if (bank.empty()) {
      CHECK(log.code() == Code::log_bank);  // an old machine whose log has SHA-1 only
      continue;
    }
    REQUIRE(log.ok());
    uint32_t present = 0;
    PcrValues pcrs = log->replay(present);
    ++machines;
    for (size_t line = 0;;) {
      size_t colon = bank.find(":", line), quote = bank.find("(\"", line);
      if (colon == std::string::npos || quote == std::string::npos) break;
      size_t index = static_cast<size_t>(std::atoi(bank.c_str() + bank.find_last_of("\t\n", colon) + 1));
      REQUIRE(index < kPcrCount);
      CHECK(to_hex(pcrs[index]) == bank.substr(quote + 2, 64));
      CHECK((present >> index & 1) != 0);
      ++values;
      line = quote + 2 + 64;
    }
    uint32_t pcr = 0;
    CHECK(check_replay(*log, pcrs, pcr).ok());
    pcrs[7][0] ^= 1;
    CHECK(check_replay(*log, pcrs, pcr).code() == Code::log_replay);
    CHECK(pcr == 7);
  }
  MESSAGE(machines, " machines, ", values, " PCR values");
  CHECK(machines >= 8);
  CHECK(values >= 80);
}

TEST_CASE("event log: every other log in the packages is read or refused") {
  std::string root = evidence() + "go-attestation/attest/testdata/";
  struct Row {
    const char* file;
    Code code;
  };
  const Row rows[] = {
      {"crypto_agile_eventlog", Code::ok},
      {"coreos_36_shielded_vm_no_secure_boot_eventlog", Code::ok},
      {"ubuntu_2104_shielded_vm_no_secure_boot_eventlog", Code::ok},
      {"ebs_event_missing_eventlog", Code::log_bank},  // the old format: SHA-1 only
      {"option_rom_eventlog", Code::log_bank},          // likewise
      {"sb_cert_eventlog", Code::ok},
      {"short_no_action_eventlog", Code::log_bank},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.file));
    Result<Buffer> data = read_file((root + row.file).c_str(), kMaxEventLog);
    REQUIRE(data.ok());
    Result<EventLog> log = EventLog::decode(*data);
    CHECK(named(log.code()) == named(row.code));
    if (!log.ok()) continue;
    for (const Event& e : log->events) {
      CHECK(event_text(e).size() <= 200);
      CHECK(!event_component(e).empty());
    }
  }
}
