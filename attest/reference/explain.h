// How a verdict says which event of the log, and which component, made a PCR differ. Explains only, decides nothing:
// the claim's result comes from the value alone.
#pragma once

#include "attest/reference/appraise.h"
#include "attest/tpm/eventlog.h"

namespace cstl {

// The claim about one PCR. `log`: replayed against the quote, so its digests are what was measured; nullptr: none.
Claim explain_pcr(const PcrReference& reference, const Digest32& seen, const tpm::EventLog* log);

// How precisely a failed claim names its cause, for choosing the one that the summary shows; 0: not at all.
int claim_rank(const Claim& claim);

}  // namespace cstl
