#include "attest/tpm/eventlog.h"

namespace cstl::tpm {

namespace {
constexpr uint32_t kNoAction = 3, kHcrtmEvent = 0x80000010;
constexpr size_t kMaxAlgorithms = 16;
constexpr size_t kSha1Size = 20;
constexpr std::string_view kSpecId("Spec ID Event03\0", 16);
constexpr std::string_view kStartupLocality("StartupLocality\0", 16);

struct Algorithm {
  uint16_t id = 0;
  uint16_t size = 0;
};

struct Algorithms {
  Algorithm list[kMaxAlgorithms];
  size_t count = 0;
  const Algorithm* find(uint16_t id) const {
    for (size_t i = 0; i < count; ++i) {
      if (list[i].id == id) return &list[i];
    }
    return nullptr;
  }
};

size_t digest_size(uint16_t algorithm) {
  switch (algorithm) {
    case kAlgSha1: return kSha1Size;
    case kAlgSha256: return sizeof(Digest32);
    case kAlgSha384: return sizeof(Digest48);
    default: return 0;
  }
}

uint32_t register_count(Registers registers) { return registers == Registers::pcrs ? kPcrCount : 1 + kRtmrCount; }

Result<Bytes> bytes32le(Reader& r) {
  TRY_LET(uint32_t size, r.u32le());
  return r.bytes(size);
}

// Firmware hands over whole areas: what follows the last event is as it was initialised.
bool is_padding(Bytes rest) {
  if (rest.empty() || (rest[0] != 0x00 && rest[0] != 0xff)) return false;
  for (uint8_t byte : rest) {
    if (byte != rest[0]) return false;
  }
  return true;
}

Status check_register(const Event& event, Registers registers) {
  if (!event.extends()) return success();
  if (event.pcr >= register_count(registers)) return fail(Code::log_malformed, "log.pcr");
  if (registers == Registers::cc && event.pcr == 0) return fail(Code::log_malformed, "log.mrtd");
  return success();
}

// 10.2.1: TCG_PCClientPCREvent, and the form of every log's first event.
Result<Event> decode_old_event(Reader& r) {
  Event event;
  TRY_LET(event.pcr, r.u32le());
  TRY_LET(event.type, r.u32le());
  TRY_LET(event.digest, r.bytes(kSha1Size));
  TRY_LET(event.data, bytes32le(r));
  return event;
}

// 10.4.5.1: TCG_EfiSpecIDEvent. Confidential computing logs have it in another register.
Result<Algorithms> decode_spec_id(const Event& event, LogFormat wanted) {
  if (event.type != kNoAction || (wanted.registers == Registers::pcrs && event.pcr != 0)) {
    return fail(Code::log_malformed, "log.header");
  }
  Reader spec(event.data.skip(kSpecId.size()));
  TRY_LET(uint32_t platform_class, spec.u32le());
  (void)platform_class;
  TRY_LET(uint8_t minor, spec.u8());
  TRY_LET(uint8_t major, spec.u8());
  if (major != 2 || minor != 0) return fail(Code::log_malformed, "log.version");
  TRY_LET(Bytes errata, spec.bytes(2));  // and the size of UINTN, which some firmware leaves at zero
  (void)errata;
  TRY_LET(uint32_t count, spec.u32le());
  if (count == 0 || count > kMaxAlgorithms) return fail(Code::log_malformed, "log.algorithms");
  Algorithms out;
  for (uint32_t i = 0; i < count; ++i) {
    Algorithm a;
    TRY_LET(a.id, spec.u16le());
    TRY_LET(a.size, spec.u16le());
    if (a.size == 0 || a.size > 64 || out.find(a.id) != nullptr) return fail(Code::log_malformed, "log.algorithms");
    out.list[out.count++] = a;
  }
  TRY_LET(uint8_t vendor_size, spec.u8());
  TRY_LET(Bytes vendor, spec.bytes(vendor_size));
  (void)vendor;
  TRY(spec.finish());
  const Algorithm* bank = out.find(wanted.algorithm);
  if (bank == nullptr) return fail(Code::log_bank, "log.bank");
  if (bank->size != digest_size(wanted.algorithm)) return fail(Code::log_malformed, "log.digest_size");
  return out;
}

Result<Event> decode_event(Reader& r, const Algorithms& algorithms, LogFormat wanted) {
  Event event;
  TRY_LET(event.pcr, r.u32le());
  TRY_LET(event.type, r.u32le());
  TRY(check_register(event, wanted.registers));
  TRY_LET(uint32_t count, r.u32le());
  if (count > algorithms.count) return fail(Code::log_malformed, "log.digests");
  for (uint32_t i = 0; i < count; ++i) {
    TRY_LET(uint16_t id, r.u16le());
    const Algorithm* algorithm = algorithms.find(id);
    if (algorithm == nullptr) return fail(Code::log_malformed, "log.digest_algorithm");
    TRY_LET(Bytes digest, r.bytes(algorithm->size));
    if (id != wanted.algorithm) continue;
    if (!event.digest.empty()) return fail(Code::log_malformed, "log.digest_twice");
    event.digest = digest;
  }
  if (event.digest.empty() && event.extends()) return fail(Code::log_malformed, "log.no_digest");
  TRY_LET(event.data, bytes32le(r));
  return event;
}

// 10.4.5.3: once, in PCR 0, before anything was extended into it; localities 0, 3 and 4 exist.
Status note_locality(const Event& event, EventLog& log) {
  if (event.pcr != 0 || event.data.size() != 17 || log.startup_noted) {
    return fail(Code::log_malformed, "log.locality");
  }
  uint8_t locality = event.data[16];
  if (locality != 0 && locality != 3 && locality != 4) return fail(Code::log_malformed, "log.locality");
  for (const Event& before : log.events) {
    if (before.pcr == 0 && before.extends()) return fail(Code::log_malformed, "log.locality");
  }
  log.startup_locality = locality;
  log.startup_noted = true;
  return success();
}

Status add_event(const Event& event, EventLog& log) {
  if (log.events.size() == kMaxEvents) return fail(Code::too_long, "log.events");
  if (event.type == kNoAction && event.data.first(16).text() == kStartupLocality) {
    TRY(note_locality(event, log));
  }
  // The measurement of an H-CRTM comes before everything else, by locality 4 (TPM 2.0 Library, part 1, 34.3). Some
  // firmware leaves the StartupLocality event out.
  if (event.type == kHcrtmEvent && event.pcr == 0) {
    bool first = true;
    for (const Event& before : log.events) first = first && (before.pcr != 0 || !before.extends());
    if (first && !log.startup_noted) log.startup_locality = 4;
  }
  log.events.push_back(event);
  return success();
}

Result<EventLog> decode_old(Bytes input, Registers registers) {
  EventLog log;
  log.format = LogFormat{registers, kAlgSha1};
  Reader r(input);
  while (r.remaining() > 0 && !(log.events.size() > 0 && is_padding(r.rest()))) {
    TRY_LET(Event event, decode_old_event(r));
    TRY(check_register(event, registers));
    TRY(add_event(event, log));
  }
  log.size = input.size() - r.remaining();
  return log;
}

// Values that no register has: a failing hash must not look like a match.
template <typename Digest>
void poison(Digest& digest) {
  digest.fill(0xee);
}

Result<Digest32> extend(const Digest32& value, Bytes digest) { return sha256({value, digest}); }
Result<Digest48> extend(const Digest48& value, Bytes digest) { return sha384({value, digest}); }

template <typename Digest, size_t N>
void replay_into(const std::vector<Event>& events, uint32_t first, std::array<Digest, N>& values, uint32_t& present) {
  present = 0;
  for (const Event& event : events) {
    if (!event.extends()) continue;
    uint32_t index = event.pcr - first;  // decode() bounds it
    if (index >= N) continue;
    Result<Digest> next = extend(values[index], event.digest);
    if (next.ok()) values[index] = *next;
    else poison(values[index]);
    present |= 1u << index;
  }
}
}  // namespace

Result<EventLog> EventLog::decode(Bytes input, LogFormat wanted) {
  if (input.size() > kMaxEventLogInput) return fail(Code::too_long, "log.size");
  if (digest_size(wanted.algorithm) == 0) return fail(Code::log_bank, "log.algorithm");
  Reader r(input);
  TRY_LET(Event first, decode_old_event(r));
  if (first.data.first(kSpecId.size()).text() != kSpecId) {
    Result<EventLog> old = decode_old(input, wanted.registers);
    if (!old.ok()) return fail(Code::log_malformed, old.error().site);
    if (wanted.algorithm != kAlgSha1) return fail(Code::log_bank, "log.sha1_only");
    return old;
  }
  TRY_LET(Algorithms algorithms, decode_spec_id(first, wanted));
  EventLog log;
  log.format = wanted;
  while (r.remaining() > 0 && !is_padding(r.rest())) {
    TRY_LET(Event event, decode_event(r, algorithms, wanted));
    TRY(add_event(event, log));
  }
  log.size = input.size() - r.remaining();
  return log;
}

std::array<Digest32, kPcrCount> EventLog::replay(uint32_t& present) const {
  std::array<Digest32, kPcrCount> pcrs{};
  if (format.registers != Registers::pcrs || format.algorithm != kAlgSha256) {
    for (Digest32& pcr : pcrs) poison(pcr);
    present = (1u << kPcrCount) - 1;
    return pcrs;
  }
  // Only a dynamic launch (D-RTM) resets 17–22 to zero; they start, and read, as all ones.
  for (size_t i = 17; i <= 22; ++i) pcrs[i].fill(0xff);
  pcrs[0][31] = startup_locality;
  replay_into(events, 0, pcrs, present);
  return pcrs;
}

std::array<Digest48, kRtmrCount> EventLog::replay_rtmrs(uint32_t& present) const {
  std::array<Digest48, kRtmrCount> rtmrs{};
  if (format.registers != Registers::cc || format.algorithm != kAlgSha384) {
    for (Digest48& rtmr : rtmrs) poison(rtmr);
    present = (1u << kRtmrCount) - 1;
    return rtmrs;
  }
  replay_into(events, 1, rtmrs, present);
  return rtmrs;
}

bool is_measured(Bytes data, Bytes digest) {
  if (digest.size() == sizeof(Digest32)) {
    Result<Digest32> hash = sha256({data});
    return hash.ok() && equal(*hash, digest);
  }
  if (digest.size() == sizeof(Digest48)) {
    Result<Digest48> hash = sha384({data});
    return hash.ok() && equal(*hash, digest);
  }
  return false;
}

}  // namespace cstl::tpm
