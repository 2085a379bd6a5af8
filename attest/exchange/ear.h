// Verdicts for other systems: EAT Attestation Results (draft-ietf-rats-ear-04, eat_profile tag:ietf.org,2026:rats/ear#04) as a
// JWT (RFC 7519) signed with ES256 (RFC 7518, 3.4). One submodule per machine, labelled by the caller; beside the standard's
// claims each holds, in ear_verifier_claims, what cstl says about it ("cstl.code", "cstl.claims", …; docs/reference-values.md).
//
// A token says what was seen when it was issued, never more: it expires at the latest with what the verdicts rest on.
#pragma once

#include <string>
#include <vector>

#include "attest/reference/appraise.h"
#include "crypto/sign.h"

namespace cstl {

constexpr size_t kMaxEarMachines = 1024;
constexpr size_t kMinEarNonce = 8, kMaxEarNonce = 64;  // bytes (draft-ietf-rats-ear-04, 3)

struct EarMachine {
  std::string label;      // unique; printable ASCII, 1 to 256 bytes
  Verdict verdict;
};

struct EarOptions {
  int64_t now = 0;        // Unix seconds
  int64_t lifetime = 300; // seconds, at least 1
  std::vector<uint8_t> nonce;  // of the relying party, echoed; empty: none
};

// The claims, before they are signed. Errors: bad_value (labels, nonce, no machine, too many).
Result<std::string> ear_claims(const std::vector<EarMachine>& machines, const EarOptions& options);
// "header.claims.signature". `kid` is the signer's id as for reference values (attest/reference/signed.h).
Result<std::string> ear_token(const std::vector<EarMachine>& machines, const EarOptions& options, const SigningKey& key);

}  // namespace cstl
