// Verification of a TPM quote (TPM 2.0 Library Specification, part 1, 31; part 3, 18.4): separate steps, each with its own
// code, in the order of QuoteStep. VerifiedQuote is what only verify_quote() can make: whoever holds one holds PCR values
// that a restricted signing key signed for this session. Whose key that is, is the endorsement's and appraisal's question.
// Accepted: ECDSA P-256, RSA-2048 PSS and PKCS#1 v1.5, all with SHA-256. No I/O, no clock, no tpm2-tss.
#pragma once

#include "attest/tpm/eventlog.h"
#include "attest/tpm/structures.h"
#include "crypto/hash.h"

namespace cstl::tpm {

using PcrValues = std::array<Digest32, kPcrCount>;
using Name = std::array<uint8_t, 34>;  // nameAlg SHA-256 ‖ digest

// Each: success, or the code that is named.
Status check_magic(const Attest& quote);    // quote_magic: not TPM_GENERATED, so not made by a TPM
Status check_type(const Attest& quote);     // quote_type: something else that a TPM signed
// quote_key, unless restricted, sign, fixedTPM, fixedParent and sensitiveDataOrigin are set and decrypt is not, the name
// algorithm is SHA-256, and the scheme is one of those above (a restricted signing key has one).
Status check_key(const Public& ak);
// quote_key, unless the quote's qualified signer is this AK as a primary key of the endorsement or owner hierarchy, or as
// a child of the default EK with `ek_modulus` (empty: none). Ties every byte of the public area to the signed structure.
Status check_signer(const Attest& quote, const Name& ak_name, Bytes ek_modulus);
// quote_signature, over the bytes of TPMS_ATTEST; also when the signature's scheme is not the key's.
Status check_signature(Bytes quote, const Signature& signature, const Public& ak);
Status check_nonce(const Attest& quote, Bytes qualifier);  // quote_nonce
Status check_selection(const Attest& quote);                         // quote_selection: SHA-256, exactly PCR 0–23
Status check_digest(const Attest& quote, Bytes pcr_values);          // quote_digest

enum class QuoteStep : uint8_t { form, magic, type, key, signer, signature, nonce, selection, digest, done };
const char* quote_step_name(QuoteStep step);  // "quote.form", "quote.magic", "quote.type", "ak.attributes", "ak.name", …

class VerifiedQuote {
 public:
  const PcrValues& pcrs() const { return pcrs_; }
  const Name& ak_name() const { return ak_name_; }

 private:
  friend Result<VerifiedQuote> verify_quote(const Evidence&, Bytes, Bytes, QuoteStep&);
  VerifiedQuote() = default;
  PcrValues pcrs_{};
  Name ak_name_{};
};

// All steps over the evidence's quote, signature, AK and PCR values. `qualifier` is what the quote must sign
// (attest/merkle.h). `reached` tells the step that failed, or done. Errors: those of the parsers (form) and of the steps.
Result<VerifiedQuote> verify_quote(const Evidence& evidence, Bytes qualifier, Bytes ek_modulus, QuoteStep& reached);

// Every PCR that the log extends replays to the quoted value. Errors: log_replay; `pcr` is then the first that does not.
// PCRs that the log leaves out (15, say) are appraised by their values alone. PCR 5 may have one of the fixed endings of
// ExitBootServices beyond the log, as some firmware does not log them.
Status check_replay(const EventLog& log, const PcrValues& quoted, uint32_t& pcr);

}  // namespace cstl::tpm
