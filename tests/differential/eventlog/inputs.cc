#include "tests/differential/eventlog/inputs.h"

#include <cstdio>
#include <cstdlib>

#include "crypto/base/base64.h"
#include "crypto/base/fd.h"

namespace cstl::differential {

namespace {
constexpr size_t kMaxInput = 1 << 20;
constexpr size_t kKeptPadding = 64;  // of a CCEL's area: more of it only takes time

struct Name {
  const char* file;
  Kind kind;
};
constexpr Name kNames[] = {
    {"eventlogs/tpm/arch-linux-workstation.bin", Kind::pcrs},
    {"eventlogs/tpm/cos-101-amd-sev.bin", Kind::pcrs},
    {"eventlogs/tpm/cos-85-amd-sev.bin", Kind::pcrs},
    {"eventlogs/tpm/cos-93-amd-sev.bin", Kind::pcrs},
    {"eventlogs/tpm/glinux-alex.bin", Kind::pcrs},
    {"eventlogs/tpm/rhel8-uefi.bin", Kind::pcrs},
    {"eventlogs/tpm/ubuntu-1804-amd-sev.bin", Kind::pcrs},
    {"eventlogs/tpm/ubuntu-2104-no-dbx.bin", Kind::pcrs},
    {"eventlogs/tpm/ubuntu-2104-no-secure-boot.bin", Kind::pcrs},
    {"eventlogs/tpm/ubuntu-2404-amd-sevsnp.bin", Kind::pcrs},
    {"legacydata/coreos_36_shielded_vm_no_secure_boot_eventlog", Kind::pcrs},
    {"legacydata/crypto_agile_eventlog", Kind::pcrs},
    {"legacydata/sb_cert_eventlog", Kind::pcrs},
    {"eventlogs/ccel/CCEL_unpadded.data.bin", Kind::cc},
    {"eventlogs/ccel/cos-113-intel-tdx-dupe-separator-unpadded.bin", Kind::cc},
    {"eventlogs/ccel/cos-113-intel-tdx-dupe-separator.bin", Kind::cc},
    {"eventlogs/ccel/cos-113-intel-tdx.bin", Kind::cc},
    {"eventlogs/ccel/event_log.bin", Kind::cc},
    {"eventlogs/tpm/debian-10.bin", Kind::old},
    {"legacydata/ebs_event_missing_eventlog", Kind::old},
    {"legacydata/linux_tpm12.json", Kind::old},
    {"legacydata/option_rom_eventlog", Kind::old},
    {"legacydata/short_no_action_eventlog", Kind::old},
    {"legacydata/windows_gcp_shielded_vm.json", Kind::old},
};

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "differential/eventlog: %s\n", what.c_str());
  std::exit(2);
}

Buffer decoded(std::string_view base64) {
  Result<Buffer> out = from_base64(base64, kMaxInput);
  if (!out.ok()) give_up("base64");
  return *out;
}

std::string_view between(std::string_view text, size_t& at, std::string_view from, std::string_view to) {
  size_t start = text.find(from, at);
  if (start == std::string_view::npos) return {};
  start += from.size();
  size_t end = text.find(to, start);
  if (end == std::string_view::npos) return {};
  at = end;
  return text.substr(start, end - start);
}

// {"Log":{"PCRs":[{"Index":11,"Digest":"…","DigestAlg":3},…],"Raw":"…"}}: SHA-1 values that the machine's TPM had.
void read_dump(std::string_view json, Log& log) {
  size_t at = json.find("\"PCRs\":["), end = json.find(']', at);
  for (;;) {
    std::string_view index = between(json, at, "\"Index\":", ",");
    std::string_view digest = between(json, at, "\"Digest\":\"", "\"");
    if (index.empty() || digest.empty() || at > end) break;
    log.registers.push_back({static_cast<uint8_t>(std::atoi(std::string(index).c_str())), decoded(digest)});
  }
  at = 0;
  log.bytes = decoded(between(json, at, "\"Raw\":\"", "\""));
}

template <typename Values>
void take_registers(const Values& values, uint32_t present, Log& log) {
  for (size_t i = 0; i < values.size(); ++i) {
    if ((present >> i & 1) != 0) log.registers.push_back({static_cast<uint8_t>(i), Bytes(values[i]).copy()});
  }
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {  // splitmix64
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(next() % n); }

 private:
  uint64_t state_;
};

// Where an event of the unchanged log lies.
struct Span {
  size_t start = 0, data = 0, end = 0;
};

uint32_t u32_at(const Buffer& bytes, size_t at) {
  Result<uint32_t> value = Reader(Bytes(bytes).skip(at)).u32le();
  return value.ok() ? *value : 0;
}

// Of a log that is read; the banks have their usual sizes.
std::vector<Span> spans_of(const Buffer& bytes, Kind kind) {
  std::vector<Span> out;
  Result<tpm::EventLog> log = tpm::EventLog::decode(bytes, format_of(kind));
  if (!log.ok()) return out;
  size_t start = kind == Kind::old ? 0 : 32 + u32_at(bytes, 28);
  while (out.size() < log->events.size()) {
    size_t at = start + 12;
    if (kind == Kind::old) at = start + 28;
    else {
      for (uint32_t left = u32_at(bytes, start + 8); left > 0; --left) {
        uint32_t id = u32_at(bytes, at) & 0xffff;
        at += 2 + (id == tpm::kAlgSha1 ? 20 : id == tpm::kAlgSha256 ? 32 : 48);
      }
    }
    Span span{start, at + 4, at + 4 + u32_at(bytes, at)};
    if (span.end > bytes.size()) break;
    out.push_back(span);
    start = span.end;
  }
  return out;
}

void put_u32(Buffer& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4 && at + i < bytes.size(); ++i) bytes[at + i] = static_cast<uint8_t>(value >> 8 * i);
}

Buffer slice(const Buffer& bytes, size_t from, size_t to) { return Bytes(bytes).skip(from).first(to - from).copy(); }

void insert(Buffer& bytes, size_t at, const Buffer& what) {
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at, bytes.size())), what.begin(), what.end());
}

void erase(Buffer& bytes, size_t from, size_t to) {
  bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.begin() + static_cast<std::ptrdiff_t>(to));
}

uint32_t interesting(Random& random) {
  constexpr uint32_t kValues[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 23, 24, 0x7fff, 0xffff, 0x80000001,
                                  0x80000002, 0x80000003, 0x80000007, 0x80000010, 0x800000e0, 0x7fffffff, 0xffffffff};
  size_t which = random.below(sizeof(kValues) / sizeof(kValues[0]) + 4);
  if (which < sizeof(kValues) / sizeof(kValues[0])) return kValues[which];
  return static_cast<uint32_t>(random.next());
}

void change(Log& log, Random& random) {
  Buffer& bytes = log.bytes;
  if (bytes.empty()) return;
  std::vector<Span> spans = spans_of(bytes, log.kind);
  size_t which = random.below(spans.empty() ? 3 : 13);
  Span span = spans.empty() ? Span{} : spans[random.below(spans.size())];
  Buffer event = slice(bytes, span.start, span.end);
  switch (which) {
    case 0: bytes[random.below(bytes.size())] ^= static_cast<uint8_t>(1u << random.below(8)); break;
    case 1: bytes[random.below(std::min<size_t>(bytes.size(), 80))] = static_cast<uint8_t>(random.next()); break;
    case 2: bytes.resize(random.below(bytes.size())); break;
    case 3: bytes.resize(span.end); break;
    case 4: put_u32(bytes, span.start + 4 * random.below(3), interesting(random)); break;
    case 5: put_u32(bytes, span.data - 4, random.below(2) == 0 ? interesting(random) :
                    static_cast<uint32_t>(span.end - span.data + random.below(9) - 4)); break;
    case 6: erase(bytes, span.start, span.end); break;
    case 7: insert(bytes, spans[random.below(spans.size())].start, event); break;
    case 8: bytes.insert(bytes.end(), 1 + random.below(64), random.below(2) == 0 ? 0x00 : 0xff); break;
    case 9: put_u32(event, 4, 3); insert(bytes, spans[random.below(spans.size())].start, event); break;
    case 10:
      bytes[span.start + random.below(span.data - span.start)] ^= static_cast<uint8_t>(1u << random.below(8));
      break;
    case 11: {  // a StartupLocality event
      put_u32(event, 0, random.below(4) == 0 ? interesting(random) : 0);
      put_u32(event, 4, 3);
      event.resize(span.data - span.start);
      put_u32(event, event.size() - 4, 17);
      constexpr std::string_view kName("StartupLocality\0", 16);
      event.insert(event.end(), kName.begin(), kName.end());
      event.push_back(static_cast<uint8_t>(random.below(6)));
      insert(bytes, random.below(2) == 0 ? spans[0].start : spans[random.below(spans.size())].start, event);
      break;
    }
    default: {  // an event before another
      size_t to = spans[random.below(spans.size())].start;
      if (to > span.start) break;
      erase(bytes, span.start, span.end);
      insert(bytes, to, event);
    }
  }
}
}  // namespace

tpm::LogFormat format_of(Kind kind) {
  return kind == Kind::pcrs ? tpm::kPcrLog : kind == Kind::cc ? tpm::kCcLog : tpm::kOldLog;
}

std::vector<Log> real_logs(const std::string& root) {
  std::vector<Log> out;
  for (const Name& name : kNames) {
    Log log;
    log.name = name.file;
    log.kind = name.kind;
    Result<Buffer> data = read_file((root + "go-eventlog/testdata/" + name.file).c_str(), kMaxInput);
    if (!data.ok()) give_up(root + name.file);
    log.bytes = *data;
    if (log.name.find(".json") != std::string::npos) read_dump(Bytes(*data).text(), log);
    Result<tpm::EventLog> decoded_log = tpm::EventLog::decode(log.bytes, format_of(log.kind));
    if (!decoded_log.ok()) give_up(log.name + " is not read");
    log.bytes.resize(std::min(log.bytes.size(), decoded_log->size + kKeptPadding));
    uint32_t present = 0;
    if (log.kind == Kind::pcrs) {
      auto values = decoded_log->replay(present);
      take_registers(values, present, log);
    } else if (log.kind == Kind::cc) {
      auto values = decoded_log->replay_rtmrs(present);
      take_registers(values, present, log);
    }
    out.push_back(std::move(log));
  }
  return out;
}

Log input(const std::vector<Log>& logs, uint64_t seed, size_t number) {
  Log log = logs[number % logs.size()];
  if (number < logs.size()) return log;
  Random random(seed ^ number * 0x2545f4914f6cdd1d);
  size_t changes = 1 + (random.below(4) == 0 ? 1 + random.below(2) : 0);
  for (size_t i = 0; i < changes; ++i) change(log, random);
  return log;
}

}  // namespace cstl::differential
