#include <cstdlib>

#include "attest/reference/boot.h"
#include "attest/tpm/verify.h"

namespace {
void printable(const std::string& text, size_t max) {
  if (text.size() > max) abort();
  for (char c : text) {
    if ((c < 0x20 || c > 0x7e) && c != '\n') abort();
  }
}
}  // namespace

// Event logs of every format: replay agrees with itself, and the words about hostile events are bounded and printable.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl::tpm;
  for (LogFormat format : {kPcrLog, kCcLog, kOldLog}) {
    auto log = EventLog::decode(cstl::Bytes(data, size), format);
    if (!log) continue;
    if (log->events.size() > kMaxEvents || log->size > size) abort();
    uint32_t present = 0, pcr = 0;
    PcrValues pcrs = log->replay(present);
    if (format.algorithm == kAlgSha256 && !check_replay(*log, pcrs, pcr).ok()) abort();
    (void)log->replay_rtmrs(present);  // any values will do: of another format they are no register's
    for (const Event& event : log->events) {
      printable(event_text(event) + event_component(event, format.registers) + event_type_name(event.type), 400);
    }
    BootState state = BootState::of(*log);
    printable(state.to_text("  "), 1 << 20);
    std::vector<cstl::Fact> facts;
    cstl::add_boot_facts(state, facts);
    if (facts.size() > cstl::kMaxBootFacts) abort();
    for (const cstl::Fact& fact : facts) printable(fact.name + fact.value, 400);
  }
  return 0;
}
