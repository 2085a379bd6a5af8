// Appraisal of what other tools wrote: an SEV-SNP report, a TDX quote, a TPM quote, each by itself, not bound as cstl binds
// evidence to a session. The same verification and the same comparison as for evidence of our own, in the same verdict; what
// such a file cannot show is said by claims that warn.
#pragma once

#include <optional>

#include "attest/reference/appraise.h"

namespace cstl {

struct ForeignEvidence {
  // variant: sev_snp (tee_report, tee_certificates, tee_collateral), tdx (tee_report, tee_collateral, ccel), tpm (quote,
  // signature, ak_public, pcr_values, event_log, ek_certificate, ek_chain). Other items are not looked at.
  Evidence items;
  // What the file must be bound to: REPORT_DATA (32 or 64 bytes), or the nonce of a TPM quote. nullopt: not compared, and the
  // claim "evidence.binding" warns.
  std::optional<Bytes> bound_to;
};

// Of all sets whose kind fits: with a member "snp", with a member "tdx", or with PCRs and a TPM that its maker endorses; the one
// that comes closest decides. Compared is what the file can show: of a set of azure-sev-snp and an SEV-SNP report, the member
// "snp" alone. The cluster rule of `policy` is not looked at. Never fails. Codes as for appraise(); variant_unknown when no set
// fits; bad_value for a binding of no bytes. An EK that a pinned root endorses warns all the same
// (without_activation()).
Verdict appraise_foreign(const ForeignEvidence& evidence, const AppraisalPolicy& policy);

// For a verdict on a file, when activation is outstanding: only its TPM, asked, could prove that the AK is there too.
// Nothing is endorsed then, the identity is not known (zeros), and the claims "ek.chain" and "ek.activation" warn.
void without_activation(Verdict& verdict);

}  // namespace cstl
