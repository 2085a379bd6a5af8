// Appraisal (RFC 9334): evidence + this session's binding + reference values → a verdict that explains itself.
// Form, signature, binding and comparison are separate steps with separate codes; the first failing step decides the
// code, but every claim that could be compared is listed. No clock but the caller's, no I/O, no tpm2-tss.
#pragma once

#include <string>
#include <vector>

#include "attest/reference/claim.h"
#include "attest/reference/trust.h"
#include "attest/reference/values.h"

namespace cstl {

// Who a machine is, stable over reboots. With a TPM: SHA-256 over its endorsement key's SPKI where the TPM's maker vouches for
// it, else over the AK's name. Without: SHA-256("cstl-snp-1" ‖ CHIP_ID ‖ HOST_DATA), or SHA-256("cstl-tdx-1" ‖ SHA-256(PPID) ‖
// MRCONFIGID): several machines on one processor need different ones.
using PlatformIdentity = Digest32;

struct Verdict {
  Code code = Code::internal;       // ok, or why it failed
  std::string reference_set;        // id of the set that matched (or came closest)
  Variant variant = Variant::qemu_vtpm;
  bool endorsed = false;            // something that the set pins vouches for the machine's keys
  bool activation = false;          // it is the TPM's maker, for the EK: the AK has yet to be activated in the session
  PlatformIdentity identity{};
  uint8_t roles = 0;                // of the matched set
  std::array<Digest32, kPcrCount> pcrs{};  // quoted values, valid when the quote verified
  std::vector<Claim> claims;
  std::vector<Fact> facts;          // about the platform, in the order in which they should be read
  int64_t appraised_at = 0;         // the policy's `now`
  Validity validity;                // of what the verdict rests on; whoever checks a window narrows it
  bool passed() const { return code == Code::ok; }
  // One line for an error frame: "pcr9 (initrd) differs from set demo-1: expected …, seen …". At most 512 bytes.
  std::string summary() const;
  std::string to_text() const;      // for people, several lines
  std::string to_json() const;      // stable keys; with trust tier and vector (trust.h)
};

// The cluster's register is PCR 15; RTMR3 of a TD without TPM; of an SEV-SNP guest without TPM a value that its measured
// software asserts, bound in REPORT_DATA.
enum class ClusterRule : uint8_t {
  outside,   // the cluster's register must be zero (a fresh or rebooted machine): pcr_not_zero
  inside,    // it must not be zero: cluster_mismatch
  exactly,   // it must be that of `cluster_id`: cluster_mismatch
  any,
};

struct AppraisalPolicy {
  const ReferenceValues* values = nullptr;   // must outlive the call
  ClusterRule cluster = ClusterRule::any;
  Digest32 cluster_id{};                     // for `exactly`
  int64_t now = 0;                           // Unix seconds
};

// PCR 15 after the node lock: SHA-256(0³² ‖ SHA-256(clusterID)), as TPM2_PCR_Event extends it.
Result<Digest32> cluster_pcr(const Digest32& cluster_id);
// RTMR3 after it: SHA-384(0⁴⁸ ‖ SHA-384(clusterID)).
Result<Digest48> cluster_rtmr(const Digest32& cluster_id);

// `binding` is the aTLS binding of the attesting side. Never fails: what goes wrong is in the verdict.
// Order of codes: reference_expired (the document's own end); form of the evidence and its variant; merkle_path; with a TPM
// the steps of attest/tpm/verify.h, log_malformed and log_replay; then, against the set that comes closest (the earlier on
// a tie; what does not verify at all is farther than what differs): reference_expired; who vouches for the AK; the TEE's report and what the set expects of it; ek_missing or
// ek_chain, reference_mismatch; then the cluster rule.
// An endorsement that does not verify only warns where the set allows an unendorsed AK: the machine could as well have
// sent none. An evidence without event log is accepted where nothing in the set needs it: the values decide, the log explains.
Verdict appraise(Bytes evidence, const Digest32& binding, const AppraisalPolicy& policy);

}  // namespace cstl
