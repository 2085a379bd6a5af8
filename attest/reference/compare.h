// What appraisal is made of: a machine as far as its evidence holds by itself, and its comparison with one set. Only
// attest/reference/*.cc include it.
#pragma once

#include <optional>

#include "attest/reference/appraise.h"
#include "attest/reference/boot.h"
#include "attest/tpm/verify.h"
#include "crypto/x509.h"

namespace cstl::reference {

Claim failed(const char* name, const Error& error);
Claim passed(std::string name);

// The maker's word for a TPM. Its form is a matter of the comparison: a bad one is no worse than none.
struct Endorsement {
  Bytes leaf;
  std::vector<Bytes> others;
  PublicKey key;
  Status form;
};

struct Machine {
  Evidence evidence;
  Digest32 qualifier{};
  std::optional<Bytes> foreign_nonce;        // what the quote must sign in its place: evidence that other tools made
  Endorsement endorsement;
  std::optional<tpm::VerifiedQuote> quote;   // of variants with a TPM
  std::optional<tpm::Public> ak;             // its key, decoded
  std::optional<tpm::EventLog> log;          // replayed against the quote
  std::optional<tpm::BootState> boot;        // what it says was booted
  int64_t now = 0;
};

// Where a machine keeps which cluster it is in; zeros before it enters one.
struct ClusterRegister {
  enum Kind : uint8_t { pcr15, asserted, rtmr3 } kind = pcr15;
  std::vector<uint8_t> value;                // empty: not known, since what holds it did not verify
  const char* name() const;
};

// The set's view of the machine: what failed, how far it is from matching, and who vouches for it.
struct Comparison {
  const ReferenceSet* set = nullptr;
  Code code = Code::ok;
  size_t distance = 0;                       // what does not verify at all counts more than what differs
  bool endorsed = false;                     // something that the set pins vouches for the machine's keys
  bool activation = false;                   // an EK does, and the AK has yet to prove that it is there
  Validity validity;
  ClusterRegister cluster;
  std::optional<Digest32> identity;
  std::vector<Claim> claims;
  std::vector<Fact> facts;

  void add(Claim claim, Code on_failure);
  // A claim for a check that ends the comparison of one part: what follows in it was not looked at.
  void stop(Claim claim, Code code);
};

// The comparison of a machine with a set, as far as the set's validity window.
Comparison compare_window(const ReferenceSet& set, const Machine& machine);
// The TPM's part of the evidence: claims and code go to the verdict; false when it does not hold.
bool verify_tpm(Machine& machine, Verdict& verdict);
// PCRs, and the endorsement by the TPM's maker where that is what vouches for the AK.
void compare_tpm(const Machine& machine, Comparison& out);
// Who else vouches for the AK: a certificate of the platform, the TEE's report, a signed document.
void compare_ak(const Machine& machine, Comparison& out);
// SEV-SNP report or TDX quote, its chain and its binding, and what the set expects of it.
void compare_tee(const Machine& machine, Comparison& out);

// Leaf up to any one of `roots` (DER certificates). Each is tried alone, with the peer's certificates, so that neither crowds
// out the other. Errors: those of verify_chain().
Status verify_to_roots(Bytes leaf, const std::vector<Bytes>& others, const std::vector<std::vector<uint8_t>>& roots,
                       int64_t now);

}  // namespace cstl::reference
