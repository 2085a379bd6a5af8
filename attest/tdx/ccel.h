// The event log of a TD's RTMRs (CCEL: ACPI's Confidential Computing Event Log, UEFI 2.10, 38.4): replayed against a
// verified TD report, and used to say which event made a register differ. The log is read by attest/tpm/eventlog.h,
// with SHA-384.
//
// Registers (38.4.1, table "TDX"): index 0 MRTD, which nothing extends at run time; 1–4 RTMR0–3. Firmware maps PCR 1
// and 7 to RTMR0, 2–6 to RTMR1, 8–15 to RTMR2; RTMR3 is left to the system, which puts the cluster there.
#pragma once

#include "attest/tdx/quote.h"
#include "attest/tpm/eventlog.h"

namespace cstl::tdx {

using Rtmrs = std::array<Digest48, kRtmrCount>;

// Which RTMR takes what a machine with a TPM measures into this PCR; -1: none (PCR 0 is MRTD's, 16–23 are nobody's).
int rtmr_of_pcr(uint32_t pcr);

// Every RTMR that the log extends replays to the quoted value. RTMRs that it leaves out are appraised by their values
// alone. Errors: rtmr_replay; `rtmr` is then the first that does not.
Status check_replay(const tpm::EventLog& log, const Rtmrs& quoted, uint32_t& rtmr);

}  // namespace cstl::tdx
