#include "attest/tdx/ccel.h"

namespace cstl::tdx {

int rtmr_of_pcr(uint32_t pcr) {
  if (pcr == 1 || pcr == 7) return 0;
  if (pcr >= 2 && pcr <= 6) return 1;
  if (pcr >= 8 && pcr <= 15) return 2;
  return -1;
}

Status check_replay(const tpm::EventLog& log, const Rtmrs& quoted, uint32_t& rtmr) {
  uint32_t present = 0;
  Rtmrs replayed = log.replay_rtmrs(present);
  for (rtmr = 0; rtmr < kRtmrCount; ++rtmr) {
    if ((present >> rtmr & 1) != 0 && replayed[rtmr] != quoted[rtmr]) return fail(Code::rtmr_replay, "ccel.replay");
  }
  return success();
}

}  // namespace cstl::tdx
