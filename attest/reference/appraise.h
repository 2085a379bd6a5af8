// Appraisal (RFC 9334): evidence + this session's binding + reference values → a verdict that explains itself.
// Form, signature, binding and comparison are separate steps with separate codes; the first failing step decides the
// code, but every claim that could be compared is listed. No clock but the caller's, no I/O, no tpm2-tss.
#pragma once

#include <string>
#include <vector>

#include "attest/reference/trust.h"
#include "attest/reference/values.h"

namespace cstl {

enum class ClaimResult : uint8_t { passed, warned, failed };

struct Claim {
  std::string name;       // "pcr9", "ak.attributes", "quote.signature", "ek.chain", "cluster" …
  ClaimResult result = ClaimResult::failed;
  std::string expected;   // hex or words; empty when nothing is expected
  std::string seen;
  std::string why;        // e.g. "event 17 (EV_IPL, initrd) differs: …"; empty when passed
  std::string component;  // the component of the image or platform: "initrd", "kernel command line", …
};

// Something that the evidence says about the platform, for people and other systems; decides nothing.
struct Fact {
  std::string name;       // dotted, lower case: "snp.chip_id", "snp.tcb.reported", "tdx.tcb_status", "tpm.firmware"
  std::string value;      // hex or words; printable ASCII, at most 256 bytes
};

// When the verdict's parts are valid, all at once: the reference set, certificates, revocation lists, collateral.
struct Validity {
  int64_t not_before = 0;           // Unix seconds
  int64_t not_after = INT64_MAX;    // exclusive
  void narrow(int64_t from, int64_t until) {
    if (from > not_before) not_before = from;
    if (until < not_after) not_after = until;
  }
};

// Who a machine is, stable over reboots: SHA-256 over its endorsement key's SPKI when endorsed, else over the AK name.
using PlatformIdentity = Digest32;

struct Verdict {
  Code code = Code::internal;       // ok, or why it failed
  std::string reference_set;        // id of the set that matched (or came closest)
  Variant variant = Variant::qemu_vtpm;
  bool endorsed = false;            // the EK chain verified (activation is a separate step of the session)
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

enum class ClusterRule : uint8_t {
  outside,   // PCR 15 must be zero (a fresh or rebooted machine): pcr_not_zero
  inside,    // PCR 15 must not be zero: cluster_mismatch
  exactly,   // PCR 15 must be the one of `cluster_id`: cluster_mismatch
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

// `binding` is the aTLS binding of the attesting side. Never fails: what goes wrong is in the verdict.
// Order of codes: form of the evidence and its variant; merkle_path; the steps of attest/tpm/verify.h; log_malformed and
// log_replay; then, against the set that comes closest (fewest failures; the earlier on a tie): reference_expired,
// ek_missing or ek_chain, reference_mismatch; then the cluster rule.
// An endorsement that does not verify only warns where the set allows an unendorsed AK: the machine could as well have
// sent none. An evidence without event log is accepted: the values decide, the log explains.
Verdict appraise(Bytes evidence, const Digest32& binding, const AppraisalPolicy& policy);

}  // namespace cstl
