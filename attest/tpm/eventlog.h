// TCG event logs: PC Client Platform Firmware Profile 1.06, section 10, in the crypto-agile format (TCG_PCR_EVENT2),
// read for one bank: SHA-256 of a TPM's PCRs, or SHA-384 of a confidential computing log (CCEL, UEFI 2.10, 38.4), whose
// registers are those of TDX. The old format (TCG_PCClientPCREvent, SHA-1 only) is read when SHA-1 is asked for, to
// show it; cstl has no SHA-1, so it never replays one. Total and bounded; borrows, never copies event data.
//
// A log proves nothing before its replay equals quoted registers; then its digests and their order are those that were
// measured. Types, descriptions and data stay the writer's word, unless the data hashes to the digest (is_measured()).
#pragma once

#include <string>
#include <vector>

#include "attest/tpm/structures.h"
#include "crypto/hash.h"

namespace cstl::tpm {

constexpr size_t kMaxEvents = 2048;
// Evidence carries at most kMaxEventLog bytes (attest/evidence.h); files hold whole firmware areas: 256 KiB of CCEL.
constexpr size_t kMaxEventLogInput = 1024 * 1024;
constexpr size_t kRtmrCount = 4;

// What the index of an event means.
enum class Registers : uint8_t {
  pcrs,  // 0–23: the PCR
  cc,    // TDX: 0 MRTD (nothing extends it at run time), 1–4: RTMR0–3 (PCRs 1 and 7; 2–6; 8–15; none)
};

struct Event {
  uint32_t pcr = 0;       // or the index of another kind of register; anything when it extends nothing
  uint32_t type = 0;      // EV_*
  Bytes digest;           // of the bank that was asked for, borrowed; empty only when it extends nothing
  Bytes data;             // borrowed
  bool extends() const { return type != 3; }  // EV_NO_ACTION only informs
};

const char* event_type_name(uint32_t type);  // "EV_IPL"; "unknown" for others

// Which component an event speaks of, in words ("initrd", "kernel command line", "unified kernel image", …).
std::string event_component(const Event& event, Registers registers = Registers::pcrs);
// One printable line about the event's data (bounded to 160 bytes, control bytes replaced).
std::string event_text(const Event& event);

struct LogFormat {
  Registers registers;
  uint16_t algorithm;     // TPM_ALG_ID of the bank
};
constexpr LogFormat kPcrLog{Registers::pcrs, kAlgSha256};
constexpr LogFormat kCcLog{Registers::cc, kAlgSha384};
constexpr LogFormat kOldLog{Registers::pcrs, kAlgSha1};  // also the SHA-1 bank of a crypto-agile log; for display only

struct EventLog {
  LogFormat format = kPcrLog;
  std::vector<Event> events;    // at most kMaxEvents; borrow from the input
  uint8_t startup_locality = 0; // PCR 0 starts at 0…0<locality> (EV_NO_ACTION "StartupLocality", or 4 after an H-CRTM)
  bool startup_noted = false;   // a StartupLocality event says so
  size_t size = 0;              // bytes of the log in the input; the rest is padding: only 0x00 or only 0xff

  // Errors: log_bank (a sound log without the bank: SHA-1 only, say), log_malformed, too_long, truncated, trailing.
  static Result<EventLog> decode(Bytes input, LogFormat wanted = kPcrLog);

  // The registers that the log leads to, from their value at reset; `present` gets a bit for each that an event
  // extends. Of a log of another format: values that no register has, all present.
  std::array<Digest32, kPcrCount> replay(uint32_t& present) const;       // kPcrLog
  std::array<Digest48, kRtmrCount> replay_rtmrs(uint32_t& present) const;  // kCcLog; bit i: RTMRi
};

// The data is what was measured: it hashes to the digest, in the log's bank. False for SHA-1.
bool is_measured(Bytes data, Bytes digest);

}  // namespace cstl::tpm
