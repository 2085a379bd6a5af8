// TCG event logs: PC Client Platform Firmware Profile 1.06, section 10 (crypto-agile, TCG_PCR_EVENT2). Total and bounded;
// SHA-1-only logs are refused. Replays the SHA-256 bank.
#pragma once

#include <string>
#include <vector>

#include "attest/tpm/structures.h"
#include "crypto/hash.h"

namespace cstl::tpm {

constexpr size_t kMaxEvents = 2048;

struct Event {
  uint32_t pcr = 0;
  uint32_t type = 0;      // EV_*
  Digest32 digest{};      // SHA-256
  Bytes data;             // borrowed
  bool extends() const { return type != 3; }  // EV_NO_ACTION only informs
};

const char* event_type_name(uint32_t type);  // "EV_IPL"; "unknown" for others

// Which component an event speaks of, in words ("initrd", "kernel command line", "unified kernel image", "firmware", …).
std::string event_component(const Event& event);
// One printable line about the event's data (bounded to 160 bytes, control bytes replaced).
std::string event_text(const Event& event);

struct EventLog {
  std::vector<Event> events;   // at most kMaxEvents; data borrows from the input
  uint8_t startup_locality = 0; // PCR 0 starts at 0…0<locality> (EV_NO_ACTION "StartupLocality")
  // Errors: log_malformed, too_long, truncated.
  static Result<EventLog> decode(Bytes input);
  // The PCR values that the log leads to; `present` gets a bit for every PCR that an event extends.
  std::array<Digest32, kPcrCount> replay(uint32_t& present) const;
};

}  // namespace cstl::tpm
