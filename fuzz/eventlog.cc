#include <cstdlib>

#include "attest/tpm/verify.h"

// Event logs: replay is deterministic, agrees with itself, and the words about hostile events are bounded and printable.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl::tpm;
  auto log = EventLog::decode(cstl::Bytes(data, size));
  if (!log) return 0;
  if (log->events.size() > kMaxEvents) abort();
  uint32_t present = 0, pcr = 0;
  PcrValues pcrs = log->replay(present);
  if (present >> cstl::kPcrCount != 0 || !check_replay(*log, pcrs, pcr).ok()) abort();
  for (const Event& event : log->events) {
    std::string text = event_text(event) + event_component(event) + event_type_name(event.type);
    if (text.size() > 300) abort();
    for (char c : text) {
      if (c < 0x20 || c > 0x7e) abort();
    }
  }
  return 0;
}
