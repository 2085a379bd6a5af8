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

Status extend(Digest48& rtmr, const Digest48& digest) {
  TRY_LET(rtmr, sha384({rtmr, digest}));
  return success();
}

Result<Digest48> cluster_rtmr(const Digest32& cluster_id) {
  Digest48 out{};
  TRY_LET(Digest48 digest, sha384({cluster_id}));
  TRY(extend(out, digest));
  return out;
}

}  // namespace cstl::tdx
