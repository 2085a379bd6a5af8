#include "attest/reference/explain.h"

namespace cstl {

namespace {
struct Difference {
  bool found = false;
  size_t number = 0;                        // of the event in the log, counted from 1; 0: the log lacks it
  const tpm::Event* event = nullptr;
  const ReferenceEvent* expected = nullptr;  // nullptr: the log has one too many
};

// The first place where the PCR's events leave the expected sequence.
Difference first_difference(const PcrReference& reference, const tpm::EventLog& log) {
  Difference out;
  size_t at = 0;
  for (size_t i = 0; i < log.events.size(); ++i) {
    const tpm::Event& event = log.events[i];
    if (event.pcr != reference.index || !event.extends()) continue;
    const ReferenceEvent* expected = at < reference.events.size() ? &reference.events[at] : nullptr;
    ++at;
    if (expected != nullptr && equal(expected->digest, event.digest)) continue;
    out.found = true;
    out.number = i + 1;
    out.event = &event;
    out.expected = expected;
    return out;
  }
  if (at < reference.events.size()) {
    out.found = true;
    out.expected = &reference.events[at];
  }
  return out;
}

std::string quoted(const std::string& text) { return text.empty() ? std::string() : ", \"" + text + "\""; }

void explain(const PcrReference& reference, const tpm::EventLog& log, Claim& claim) {
  if (reference.events.empty()) {
    size_t count = 0;
    for (const tpm::Event& event : log.events) count += event.pcr == reference.index && event.extends() ? 1 : 0;
    claim.why = "the reference set lists no events for it; the log has " + std::to_string(count);
    return;
  }
  Difference d = first_difference(reference, log);
  if (!d.found) {
    claim.why = "every event that the set lists is in the log: the set's value is not of these events";
    return;
  }
  if (d.event == nullptr) {
    claim.component = d.expected->component;
    claim.why = "the log lacks the event of " + d.expected->component + ": expected " + to_hex(d.expected->digest);
    return;
  }
  std::string where = "event " + std::to_string(d.number) + " (" + tpm::event_type_name(d.event->type) +
                      quoted(tpm::event_text(*d.event)) + ")";
  if (d.expected == nullptr) {
    claim.component = tpm::event_component(*d.event);
    claim.why = where + " is one too many: " + claim.component + " " + to_hex(d.event->digest);
    return;
  }
  claim.component = d.expected->component;
  claim.why = where + " differs: " + claim.component + ", expected " + to_hex(d.expected->digest) + ", seen " +
              to_hex(d.event->digest);
}
}  // namespace

Claim explain_pcr(const PcrReference& reference, const Digest32& seen, const tpm::EventLog* log) {
  Claim claim;
  claim.name = "pcr" + std::to_string(reference.index);
  claim.seen = to_hex(seen);
  claim.component = reference.component;
  for (const Digest32& expected : reference.expected) {
    if (!claim.expected.empty()) claim.expected += " or ";
    claim.expected += to_hex(expected);
    if (expected == seen) {
      claim.expected = to_hex(expected);
      claim.result = ClaimResult::passed;
      return claim;
    }
  }
  claim.result = reference.enforce ? ClaimResult::failed : ClaimResult::warned;
  if (log == nullptr) claim.why = "no event log tells what was measured into it";
  else explain(reference, *log, claim);
  return claim;
}

int claim_rank(const Claim& claim) {
  if (claim.result != ClaimResult::failed) return 0;
  // PCR 9 tells initrd from command line, 12 and 11 tell sections; 4 only that the image differs.
  constexpr const char* kPrecise[] = {"pcr9", "pcr12", "pcr11", "pcr4"};
  int rank = 6;
  for (const char* name : kPrecise) {
    if (claim.name == name) return rank;
    --rank;
  }
  return claim.name.compare(0, 3, "pcr") == 0 ? 2 : 1;
}

}  // namespace cstl
