// Event logs of real machines, from the Debian packages golang-github-google-go-eventlog-dev and …go-attestation-dev
// (tools/deps/evidence.sh; CSTL_EVIDENCE names where). Each is in the table with what must come of it: replay to the
// registers that the packages' own tests state, and what was booted; or a refusal with its reason.
#include <cstdlib>
#include <filesystem>
#include <set>

#include "attest/tpm/boot_state.h"
#include "attest/tpm/verify.h"
#include "crypto/base/base64.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

namespace {
std::string root() {
  const char* path = std::getenv("CSTL_EVIDENCE");
  REQUIRE_MESSAGE(path != nullptr, "set CSTL_EVIDENCE to what tools/deps/evidence.sh --print-prefix prints");
  return path == nullptr ? "" : std::string(path) + "/usr/share/gocode/src/github.com/google/";
}

Buffer file(const std::string& path) {
  Result<Buffer> data = read_file((root() + path).c_str(), size_t{1} << 22);
  REQUIRE_MESSAGE(data.ok(), path);
  return data.ok() ? *data : Buffer();
}

std::string text_file(const std::string& path) {
  Buffer data = file(path);
  return std::string(data.begin(), data.end());
}

// A Go string literal, from behind its opening quote.
Buffer go_string(const std::string& source, size_t at) {
  Buffer out;
  for (; at < source.size() && source[at] != '"'; ++at) {
    if (source[at] != '\\') {
      out.push_back(static_cast<uint8_t>(source[at]));
      continue;
    }
    char kind = source[++at];
    size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : 0;
    if (digits > 0) {
      unsigned long value = std::strtoul(source.substr(at + 1, digits).c_str(), nullptr, 16);
      REQUIRE(value < (kind == 'x' ? 0x100 : 0x80));
      out.push_back(static_cast<uint8_t>(value));
      at += digits;
      continue;
    }
    constexpr std::string_view kFrom = "abfnrtv\\\"'", kTo = "\a\b\f\n\r\t\v\\\"'";
    size_t index = kFrom.find(kind);
    REQUIRE(index != std::string_view::npos);
    out.push_back(static_cast<uint8_t>(kTo[index]));
  }
  return out;
}

using Stated = std::vector<std::pair<uint32_t, Buffer>>;  // index, value

// tpmeventlog/replay_test.go: the SHA-256 bank beside the log's variable.
Stated of_replay_test(const char* variable) {
  std::string tests = text_file("go-eventlog/tpmeventlog/replay_test.go");
  size_t at = tests.find("RawLog: testdata." + std::string(variable) + ",");
  REQUIRE(at != std::string::npos);
  size_t end = tests.find("RawLog: testdata.", at + 1);
  std::string block = tests.substr(at, end == std::string::npos ? end : end - at);
  at = block.find("MakePCRBank(pb.HashAlgo_SHA256, ");
  REQUIRE(at != std::string::npos);
  end = block.find("}),", at);
  Stated out;
  for (;;) {
    size_t quote = block.find("decodeHex(\"", at);
    if (quote == std::string::npos || quote > end) return out;
    size_t line = block.rfind('\n', quote) + 1;
    Digest32 value{};
    REQUIRE(from_hex(std::string_view(block).substr(quote + 11, 64), value).ok());
    int index = std::atoi(block.c_str() + block.find_first_not_of('\t', line));
    out.emplace_back(index, Buffer(value.begin(), value.end()));
    at = quote + 1;
  }
}

// ccel/*_test.go: RTMR 0 to 2, the first three byte strings behind `mark`.
Stated of_ccel_test(const char* test, const char* mark) {
  std::string source = text_file(std::string("go-eventlog/ccel/") + test);
  size_t at = source.find(mark);
  REQUIRE(at != std::string::npos);
  Stated out;
  for (uint32_t i = 0; i < 3; ++i) {
    at = source.find("[]byte(\"", at);
    REQUIRE(at != std::string::npos);
    out.emplace_back(i, go_string(source, at + 8));
    at += 8;
  }
  return out;
}

// go-attestation's secureboot_test.go: {'\x00', []byte("…"), '\x05', false}, where 5 is Go's crypto.SHA256.
Stated of_secureboot_test(const char* log) {
  std::string source = text_file("go-attestation/attest/secureboot_test.go");
  size_t at = source.find(log), end = source.find("\n}\n", at);
  REQUIRE(at != std::string::npos);
  Stated out;
  for (uint32_t index = 0;;) {
    at = source.find("[]byte(\"", at + 1);
    if (at == std::string::npos || at > end) return out;
    Buffer value = go_string(source, at + 8);
    if (value.size() == 32) out.emplace_back(index++, value);
  }
}

enum class Source { none, replay_test, ccel_test, ccel_bank, secureboot_test };

struct RealLog {
  const char* file;
  LogFormat format;
  Code code;
  const char* reason;       // of a refusal: the site
  size_t events, size;      // size without padding
  Source source;
  const char* mark;         // where the source states the registers
  size_t registers;         // how many it states
  SecureBoot secure_boot;
  const char* firmware;
  const char* loader;
  size_t images, certificates;  // certificates: of PK, KEK, db and dbx
  size_t hashes, authorities;   // hashes: of db and dbx
  const char* command_line;     // how it ends
};

const char* const kGceV1 = "GCE Virtual Firmware v1";
const char* const kIntel = "546bfb1e-1d0c-4055-a4ad-4ef4bf17b83a";
constexpr SecureBoot kOn = SecureBoot::on, kOff = SecureBoot::off, kUnknown = SecureBoot::unknown;

#define TPM_LOG(name) "go-eventlog/testdata/eventlogs/tpm/" name
#define CC_LOG(name) "go-eventlog/testdata/eventlogs/ccel/" name
#define OLD_LOG(name) "go-eventlog/testdata/legacydata/" name

const RealLog kLogs[] = {
    {TPM_LOG("arch-linux-workstation.bin"), kPcrLog, Code::ok, "", 24, 15579, Source::replay_test,
     "ArchLinuxWorkstationEventLog", 9, kOff, kIntel, "systemd-boot", 3, 6, 86, 0, "iommu=pt l1tf=off"},
    {TPM_LOG("cos-85-amd-sev.bin"), kPcrLog, Code::ok, "", 45, 24122, Source::replay_test, "Cos85AmdSevEventLog", 10,
     kOn, kGceV1, "GRUB", 3, 7, 0, 3, "b8ffc16\""},
    {TPM_LOG("cos-93-amd-sev.bin"), kPcrLog, Code::ok, "", 45, 24158, Source::replay_test, "Cos93AmdSevEventLog", 10,
     kOn, kGceV1, "GRUB", 3, 7, 0, 3, ""},
    {TPM_LOG("cos-101-amd-sev.bin"), kPcrLog, Code::ok, "", 48, 23050, Source::replay_test, "Cos101AmdSevEventLog", 11,
     kOn, kGceV1, "shim and GRUB", 4, 7, 0, 2, ""},
    {TPM_LOG("debian-10.bin"), kPcrLog, Code::log_bank, "log.sha1_only", 0, 0, Source::none, "", 0, kUnknown, "", "", 0,
     0, 0, 0, ""},
    {TPM_LOG("debian-10.bin"), kOldLog, Code::ok, "", 25, 22220, Source::none, "", 0, kUnknown, "", "", 3, 0, 0, 0, ""},
    {TPM_LOG("glinux-alex.bin"), kPcrLog, Code::ok, "", 28, 15881, Source::replay_test, "GlinuxAlexEventLog", 8, kOff,
     "", "GRUB", 2, 6, 77, 0, ""},
    {TPM_LOG("rhel8-uefi.bin"), kPcrLog, Code::ok, "", 82, 34034, Source::replay_test, "Rhel8EventLog", 11, kOn, kGceV1,
     "shim and GRUB", 3, 7, 183, 2, ""},
    {TPM_LOG("ubuntu-1804-amd-sev.bin"), kPcrLog, Code::ok, "", 87, 26013, Source::replay_test,
     "Ubuntu1804AmdSevEventLog", 10, kOff, kGceV1, "GRUB", 2, 4, 77, 0, "root=LABEL=cloudimg-rootfs ro console=ttyS0"},
    {TPM_LOG("ubuntu-2104-no-dbx.bin"), kPcrLog, Code::ok, "", 111, 33824, Source::replay_test,
     "Ubuntu2104NoDbxEventLog", 11, kOff, kGceV1, "shim and GRUB", 2, 4, 0, 0, "console=ttyS0 panic=-1"},
    {TPM_LOG("ubuntu-2104-no-secure-boot.bin"), kPcrLog, Code::ok, "", 105, 38268, Source::replay_test,
     "Ubuntu2104NoSecureBootEventLog", 11, kOff, kGceV1, "shim and GRUB", 2, 7, 183, 0, "console=ttyS0 panic=-1"},
    {TPM_LOG("ubuntu-2404-amd-sevsnp.bin"), kPcrLog, Code::ok, "", 116, 45300, Source::replay_test,
     "Ubuntu2404AmdSevSnpEventLog", 11, kOff, "GCE Virtual Firmware v2", "shim and GRUB", 2, 4, 371, 0,
     "console=ttyS0,115200 panic=-1"},

    {CC_LOG("cos-113-intel-tdx.bin"), kCcLog, Code::ok, "", 43, 18101, Source::ccel_bank, "cos-113-intel-tdx.bin", 3,
     kOff, "", "shim and GRUB", 2, 7, 0, 0, ""},
    {CC_LOG("cos-113-intel-tdx-dupe-separator.bin"), kCcLog, Code::ok, "", 43, 18101, Source::ccel_test,
     "var COS113TDXPadded", 3, kOff, "", "shim and GRUB", 2, 7, 0, 0, ""},
    {CC_LOG("cos-113-intel-tdx-dupe-separator-unpadded.bin"), kCcLog, Code::ok, "", 43, 18101, Source::ccel_test,
     "var COS113TDXUnpadded", 3, kOff, "", "shim and GRUB", 2, 7, 0, 0, ""},
    {CC_LOG("CCEL_unpadded.data.bin"), kCcLog, Code::ok, "", 19, 2026, Source::none, "", 0, kOff, "", "", 1, 0, 0, 0,
     ""},
    {CC_LOG("event_log.bin"), kCcLog, Code::ok, "", 27, 2703, Source::none, "", 0, kOff, "", "", 1, 0, 0, 0, ""},
    // A CCEL holds the SHA-384 bank only; and these two are ACPI tables that say where one is.
    {CC_LOG("event_log.bin"), kPcrLog, Code::log_malformed, "log.header", 0, 0, Source::none, "", 0, kUnknown, "", "",
     0, 0, 0, 0, ""},
    {CC_LOG("CCEL.bin"), kCcLog, Code::truncated, "reader.bytes", 0, 0, Source::none, "", 0, kUnknown, "", "", 0, 0, 0,
     0, ""},
    {CC_LOG("cos-113-intel-tdx.table.bin"), kCcLog, Code::truncated, "reader.bytes", 0, 0, Source::none, "", 0,
     kUnknown, "", "", 0, 0, 0, 0, ""},

    {OLD_LOG("coreos_36_shielded_vm_no_secure_boot_eventlog"), kPcrLog, Code::ok, "", 75, 31063, Source::none, "", 0,
     kOff, kGceV1, "shim and GRUB", 2, 7, 183, 0, ""},
    {OLD_LOG("crypto_agile_eventlog"), kPcrLog, Code::ok, "", 26, 14056, Source::none, "", 0, kOff, kIntel, "GRUB", 2,
     5, 77, 0, ""},
    {OLD_LOG("sb_cert_eventlog"), kPcrLog, Code::ok, "", 14, 18947, Source::secureboot_test, "sb_cert_eventlog", 24,
     kOn, "", "shim", 3, 6, 77, 3, ""},
    {OLD_LOG("ubuntu_2104_shielded_vm_no_secure_boot_eventlog"), kPcrLog, Code::ok, "", 105, 38268, Source::replay_test,
     "Ubuntu2104NoSecureBootEventLog", 11, kOff, kGceV1, "shim and GRUB", 2, 7, 183, 0, "console=ttyS0 panic=-1"},
    {OLD_LOG("ebs_event_missing_eventlog"), kPcrLog, Code::log_bank, "log.sha1_only", 0, 0, Source::none, "", 0,
     kUnknown, "", "", 0, 0, 0, 0, ""},
    {OLD_LOG("ebs_event_missing_eventlog"), kOldLog, Code::ok, "", 38, 16337, Source::none, "", 0, kUnknown, "", "GRUB",
     1, 0, 0, 0, ""},
    {OLD_LOG("option_rom_eventlog"), kPcrLog, Code::log_bank, "log.sha1_only", 0, 0, Source::none, "", 0, kUnknown, "",
     "", 0, 0, 0, 0, ""},
    {OLD_LOG("option_rom_eventlog"), kOldLog, Code::ok, "", 61, 72817, Source::none, "", 0, kUnknown, "",
     "Windows Boot Manager", 2, 0, 0, 0, ""},
    {OLD_LOG("linux_tpm12.json"), kPcrLog, Code::log_bank, "log.sha1_only", 0, 0, Source::none, "", 0, kUnknown, "", "",
     0, 0, 0, 0, ""},
    {OLD_LOG("linux_tpm12.json"), kOldLog, Code::ok, "", 40, 13778, Source::none, "", 0, kUnknown, "", "GRUB", 1, 0, 0,
     0, ""},
    {OLD_LOG("windows_gcp_shielded_vm.json"), kPcrLog, Code::log_bank, "log.sha1_only", 0, 0, Source::none, "", 0,
     kUnknown, "", "", 0, 0, 0, 0, ""},
    {OLD_LOG("windows_gcp_shielded_vm.json"), kOldLog, Code::ok, "", 21, 43324, Source::none, "", 0, kUnknown, "",
     "Windows Boot Manager", 1, 0, 0, 0, ""},
    {OLD_LOG("short_no_action_eventlog"), kPcrLog, Code::log_bank, "log.sha1_only", 0, 0, Source::none, "", 0, kUnknown,
     "", "", 0, 0, 0, 0, ""},
    {OLD_LOG("short_no_action_eventlog"), kOldLog, Code::ok, "", 1, 49, Source::none, "", 0, kUnknown, "", "", 0, 0, 0,
     0, ""},
};

// A log, or what holds one in base64.
Buffer log_of(const std::string& name) {
  Buffer data = file(name);
  if (name.size() < 5 || name.compare(name.size() - 5, 5, ".json") != 0) return data;
  std::string json(data.begin(), data.end());
  size_t at = json.find("\"Raw\":\"");
  REQUIRE(at != std::string::npos);
  Result<std::vector<uint8_t>> raw = from_base64(json.substr(at + 7, json.find('"', at + 7) - at - 7), size_t{1} << 20);
  REQUIRE(raw.ok());
  return *raw;
}

Stated stated(const RealLog& row) {
  switch (row.source) {
    case Source::replay_test: return of_replay_test(row.mark);
    case Source::ccel_test: return of_ccel_test("cceventlog_test.go", row.mark);
    case Source::ccel_bank: return of_ccel_test("replay_test.go", row.mark);
    case Source::secureboot_test: return of_secureboot_test(row.mark);
    case Source::none: break;
  }
  return {};
}

void check_registers(const RealLog& row, const EventLog& log) {
  Stated values = stated(row);
  CHECK(values.size() == row.registers);
  if (values.empty()) return;
  uint32_t present = 0;
  PcrValues pcrs{};
  std::array<Digest48, kRtmrCount> rtmrs{};
  bool cc = row.format.registers == Registers::cc;
  if (cc) rtmrs = log.replay_rtmrs(present);
  else pcrs = log.replay(present);
  uint32_t told = 0;
  for (const auto& pair : values) {
    const uint32_t index = pair.first;
    const Buffer& value = pair.second;
    REQUIRE(index < (cc ? kRtmrCount : kPcrCount));
    told |= 1u << index;
    INFO(index);
    // What the log leaves out was at its reset value, or is nothing that the log tells of.
    if ((present >> index & 1) == 0) continue;
    CHECK(to_hex(value) == (cc ? to_hex(rtmrs[index]) : to_hex(pcrs[index])));
  }
  CHECK((present & ~told) == 0);
  if (cc) return;
  uint32_t pcr = 0;
  CHECK(check_replay(log, pcrs, pcr).ok());
  pcrs[7][0] ^= 1;
  CHECK(check_replay(log, pcrs, pcr).code() == Code::log_replay);
  CHECK(pcr == 7);
}

void check_state(const RealLog& row, const EventLog& log) {
  BootState state = BootState::of(log);
  CHECK(std::string(secure_boot_name(state.secure_boot)) == secure_boot_name(row.secure_boot));
  CHECK(state.firmware == row.firmware);
  CHECK(state.boot_loader == row.loader);
  CHECK(state.images.size() == row.images);
  CHECK(state.pk.certificates.size() + state.kek.certificates.size() + state.db.certificates.size() +
        state.dbx.certificates.size() == row.certificates);
  CHECK(state.db.hashes + state.dbx.hashes == row.hashes);
  CHECK(state.authorities.size() == row.authorities);
  size_t end = std::strlen(row.command_line);
  CHECK(state.command_line.size() >= end);
  CHECK(state.command_line.substr(state.command_line.size() - end) == row.command_line);
  CHECK((state.command_line.empty() || state.command_line_measured || row.format.algorithm == kAlgSha1));
  for (const KeyDatabase* keys : {&state.pk, &state.kek, &state.db, &state.dbx}) {
    for (const BootCertificate& certificate : keys->certificates) CHECK(certificate.subject != "(unreadable)");
  }
  for (const Event& e : log.events) {
    CHECK(event_text(e).size() <= 200);
    CHECK(!event_component(e, log.format.registers).empty());
  }
}
}  // namespace

TEST_CASE("real event logs: each replays to the registers that its package states, or is refused for a reason") {
  size_t machines = 0, registers = 0;
  for (const RealLog& row : kLogs) {
    INFO(std::string(row.file));
    Buffer data = log_of(row.file);
    Result<EventLog> log = EventLog::decode(data, row.format);
    CHECK(named(log.code()) == named(row.code));
    if (!log.ok()) {
      CHECK(std::string(log.error().site) == row.reason);
      continue;
    }
    CHECK(log->events.size() == row.events);
    CHECK(log->size == row.size);
    check_registers(row, *log);
    check_state(row, *log);
    machines += row.registers > 0 ? 1 : 0;
    registers += row.registers;
  }
  MESSAGE(machines, " logs, ", registers, " registers");
}

TEST_CASE("real event logs: none of the packages' is left out") {
  std::set<std::string> listed;
  for (const RealLog& row : kLogs) listed.insert(row.file);
  size_t seen = 0;
  for (const char* folder : {"go-eventlog/testdata/eventlogs/tpm", "go-eventlog/testdata/eventlogs/ccel",
                             "go-eventlog/testdata/legacydata"}) {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(root() + folder, failed)) {
      std::string name = std::string(folder) + "/" + entry.path().filename().string();
      CHECK_MESSAGE(listed.count(name) == 1, name);
      ++seen;
    }
    CHECK(!failed);
  }
  CHECK(seen == listed.size());
  // go-attestation's are the same files.
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(root() + "go-attestation/attest/testdata", failed)) {
    std::string name = entry.path().filename().string();
    INFO(name);
    CHECK(file("go-attestation/attest/testdata/" + name) == file("go-eventlog/testdata/legacydata/" + name));
  }
  CHECK(!failed);
}

TEST_CASE("real event logs: TDX's separator, twice in one register, leaves Secure Boot readable") {
  // The machine's BootOrder hashes like the separator of failed firmware; RTMR0 holds it, behind the first separator.
  Buffer data = log_of(CC_LOG("cos-113-intel-tdx-dupe-separator.bin"));
  Result<EventLog> log = EventLog::decode(data, kCcLog);
  REQUIRE(log.ok());
  size_t alike = 0;
  const std::string_view failure("\1\0\0\0", 4);
  for (const Event& e : log->events) alike += e.type == 0x80000002 && is_measured(failure, e.digest) ? 1 : 0;
  CHECK(alike == 1);
  CHECK(BootState::of(*log).secure_boot == SecureBoot::off);
}
