#include "attest/reference/explain.h"

#include <algorithm>

namespace cstl {

namespace {
constexpr size_t kToldAfterFirst = 3;

// A place where the log and the set's list part. Neither is nullptr: an event took another's place.
struct Difference {
  size_t number = 0;                         // of the event in the log, counted from 1
  const tpm::Event* event = nullptr;         // nullptr: the log lacks it
  const ReferenceEvent* expected = nullptr;  // nullptr: the log has one too many
};

struct Logged {
  size_t number = 0;
  const tpm::Event* event = nullptr;
};

// The fewest events to add, drop and replace that lead from the list to the log (Levenshtein), in the log's order: so
// one event too many does not make all that follow it differ. Both sides are bounded: kMaxReferenceEvents, kMaxEvents.
std::vector<Difference> differences(const std::vector<ReferenceEvent>& list, const std::vector<Logged>& log) {
  size_t rows = list.size() + 1, columns = log.size() + 1;
  std::vector<uint16_t> cost(rows * columns);
  auto at = [&](size_t row, size_t column) -> uint16_t& { return cost[row * columns + column]; };
  auto same = [&](size_t row, size_t column) { return equal(list[row].digest, log[column].event->digest); };
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      if (i == 0 || j == 0) {
        at(i, j) = static_cast<uint16_t>(i + j);
        continue;
      }
      unsigned best = at(i - 1, j - 1) + (same(i - 1, j - 1) ? 0u : 1u);
      best = std::min<unsigned>(best, std::min(at(i - 1, j), at(i, j - 1)) + 1u);
      at(i, j) = static_cast<uint16_t>(best);
    }
  }
  // Backwards, surplus first: of equal events the later one is the one too many.
  std::vector<Difference> out;
  size_t i = list.size(), j = log.size();
  while (i > 0 || j > 0) {
    if (j > 0 && at(i, j) == at(i, j - 1) + 1) {
      --j;
      out.push_back({log[j].number, log[j].event, nullptr});
    } else if (i > 0 && at(i, j) == at(i - 1, j) + 1) {
      --i;
      out.push_back({0, nullptr, &list[i]});
    } else {
      --i;
      --j;
      if (!same(i, j)) out.push_back({log[j].number, log[j].event, &list[i]});
    }
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string quoted(const std::string& text) { return text.empty() ? std::string() : ", \"" + text + "\""; }

std::string told(const Difference& d, bool with_digests) {
  if (d.event == nullptr) {
    return "the log lacks the event of " + d.expected->component +
           (with_digests ? ": expected " + to_hex(d.expected->digest) : "");
  }
  std::string where = "event " + std::to_string(d.number) + " (" + tpm::event_type_name(d.event->type) +
                      quoted(tpm::event_text(*d.event)) + ")";
  if (d.expected == nullptr) {
    return where + " is one too many: " + tpm::event_component(*d.event) +
           (with_digests ? " " + to_hex(d.event->digest) : "");
  }
  return where + " differs: " + d.expected->component +
         (with_digests ? ", expected " + to_hex(d.expected->digest) + ", seen " + to_hex(d.event->digest) : "");
}

void explain(const PcrReference& reference, const tpm::EventLog& log, Claim& claim) {
  std::vector<Logged> logged;
  for (size_t i = 0; i < log.events.size(); ++i) {
    const tpm::Event& event = log.events[i];
    if (event.pcr == reference.index && event.extends()) logged.push_back({i + 1, &event});
  }
  if (reference.events.empty()) {
    claim.why = "the reference set lists no events for it; the log has " + std::to_string(logged.size());
    return;
  }
  std::vector<Difference> all = differences(reference.events, logged);
  if (all.empty()) {
    claim.why = "every event that the set lists is in the log: the set's value is not of these events";
    return;
  }
  claim.component = all[0].expected != nullptr ? all[0].expected->component : tpm::event_component(*all[0].event);
  claim.why = told(all[0], true);
  for (size_t i = 1; i < all.size() && i <= kToldAfterFirst; ++i) claim.why += "; " + told(all[i], false);
  if (all.size() > 1 + kToldAfterFirst) {
    claim.why += "; and " + std::to_string(all.size() - 1 - kToldAfterFirst) + " more";
  }
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
