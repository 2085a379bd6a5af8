#include "attest/tpm/eventlog.h"

namespace cstl::tpm {

namespace {
constexpr uint32_t kNoAction = 3;
constexpr size_t kMaxAlgorithms = 16;
constexpr size_t kMaxEventData = kMaxEventLog;
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

Result<Bytes> bytes32le(Reader& r, size_t max) {
  TRY_LET(uint32_t size, r.u32le());
  if (size > max) return fail(Code::too_long, "log.event_size");
  return r.bytes(size);
}

// 10.4.5.1: the first event, in the old format, carries TCG_EfiSpecIDEvent.
Result<Algorithms> decode_header(Reader& r) {
  TRY_LET(uint32_t pcr, r.u32le());
  TRY_LET(uint32_t type, r.u32le());
  TRY_LET(Bytes sha1, r.bytes(20));
  (void)sha1;
  TRY_LET(Bytes data, bytes32le(r, 1024));
  if (pcr != 0 || type != kNoAction || data.first(16).text() != kSpecId) {
    return fail(Code::log_malformed, "log.not_crypto_agile");
  }
  Reader spec(data.skip(16));
  TRY_LET(Bytes platform, spec.bytes(4 + 4));  // class, version, errata, size of UINTN
  (void)platform;
  TRY_LET(uint32_t count, spec.u32le());
  if (count == 0 || count > kMaxAlgorithms) return fail(Code::log_malformed, "log.algorithms");
  Algorithms out;
  for (uint32_t i = 0; i < count; ++i) {
    Algorithm a;
    TRY_LET(a.id, spec.u16le());
    TRY_LET(a.size, spec.u16le());
    if (a.size > 64 || out.find(a.id) != nullptr) return fail(Code::log_malformed, "log.algorithms");
    out.list[out.count++] = a;
  }
  TRY_LET(uint8_t vendor_size, spec.u8());
  TRY_LET(Bytes vendor, spec.bytes(vendor_size));
  (void)vendor;
  TRY(spec.finish());
  const Algorithm* sha256_algorithm = out.find(kAlgSha256);
  if (sha256_algorithm == nullptr || sha256_algorithm->size != 32) return fail(Code::log_malformed, "log.no_sha256");
  return out;
}

Result<Event> decode_event(Reader& r, const Algorithms& algorithms) {
  Event event;
  TRY_LET(event.pcr, r.u32le());
  TRY_LET(event.type, r.u32le());
  if (event.pcr >= kPcrCount && event.type != kNoAction) return fail(Code::log_malformed, "log.pcr");
  TRY_LET(uint32_t count, r.u32le());
  if (count == 0 || count > algorithms.count) return fail(Code::log_malformed, "log.digests");
  bool found = false;
  for (uint32_t i = 0; i < count; ++i) {
    TRY_LET(uint16_t id, r.u16le());
    const Algorithm* algorithm = algorithms.find(id);
    if (algorithm == nullptr) return fail(Code::log_malformed, "log.digest_algorithm");
    TRY_LET(Bytes digest, r.bytes(algorithm->size));
    if (id != kAlgSha256) continue;
    if (found) return fail(Code::log_malformed, "log.digest_twice");
    found = true;
    std::memcpy(event.digest.data(), digest.data(), event.digest.size());
  }
  if (!found) return fail(Code::log_malformed, "log.no_sha256");
  TRY_LET(event.data, bytes32le(r, kMaxEventData));
  return event;
}
}  // namespace

Result<EventLog> EventLog::decode(Bytes input) {
  if (input.size() > kMaxEventLog) return fail(Code::too_long, "log.size");
  Reader r(input);
  TRY_LET(Algorithms algorithms, decode_header(r));
  EventLog log;
  while (r.remaining() > 0) {
    if (log.events.size() == kMaxEvents) return fail(Code::too_long, "log.events");
    TRY_LET(Event event, decode_event(r, algorithms));
    if (event.type == kNoAction && event.data.first(16).text() == kStartupLocality) {
      // 10.4.5.3: once, in PCR 0, before anything was extended into it; localities 0, 3 and 4 exist.
      if (event.pcr != 0 || event.data.size() != 17 || log.startup_locality != 0) {
        return fail(Code::log_malformed, "log.locality");
      }
      uint8_t locality = event.data[16];
      if (locality != 0 && locality != 3 && locality != 4) return fail(Code::log_malformed, "log.locality");
      for (const Event& before : log.events) {
        if (before.pcr == 0 && before.type != kNoAction) return fail(Code::log_malformed, "log.locality");
      }
      log.startup_locality = locality;
    }
    log.events.push_back(event);
  }
  return log;
}

std::array<Digest32, kPcrCount> EventLog::replay(uint32_t& present) const {
  std::array<Digest32, kPcrCount> pcrs{};
  // Only a dynamic launch (D-RTM) resets 17–22 to zero; they start, and read, as all ones.
  for (size_t i = 17; i <= 22; ++i) pcrs[i].fill(0xff);
  pcrs[0][31] = startup_locality;
  present = 0;
  for (const Event& event : events) {
    if (!event.extends()) continue;
    Result<Digest32> next = sha256({pcrs[event.pcr], event.digest});
    // A failing hash must not look like a match.
    if (next.ok()) pcrs[event.pcr] = *next;
    else pcrs[event.pcr].fill(0xee);
    present |= 1u << event.pcr;
  }
  return pcrs;
}

}  // namespace cstl::tpm
