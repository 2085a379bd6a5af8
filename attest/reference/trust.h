// How far a verdict reaches, in the vocabulary of AR4SI (draft-ietf-rats-ar4si-10, 2.3 and 2.4): four tiers and a vector of
// eight trustworthiness claims, each a number with the same meaning for every verifier. Computed from a verdict's claims and
// variant alone, so no variant can forget it, and it never decides anything. Pure; no I/O.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cstl {

struct Verdict;

enum class TrustTier : int8_t { none = 0, affirming = 2, warning = 32, contraindicated = 96 };
const char* trust_tier_name(TrustTier tier);  // "affirming"

// Values of AR4SI 2.3.4. 0: no claim is made. The standard's words for each value are in trust_value_text().
struct TrustVector {
  int8_t instance_identity = 0;
  int8_t configuration = 0;
  int8_t executables = 0;
  int8_t file_system = 0;
  int8_t hardware = 0;
  int8_t runtime_opaque = 0;
  int8_t storage_opaque = 0;
  int8_t sourced_data = 0;

  struct Row {
    const char* name;  // "instance-identity", as JSON writes it
    int8_t TrustVector::*value;
  };
  static constexpr size_t kRows = 8;
  static const Row (&rows())[kRows];
};

// Of one value: -1..1 none, 2..31 and -32..-2 affirming, 32..95 and -96..-33 warning, the rest contraindicated.
TrustTier tier_of(int8_t value);
// A few words: "approved at boot"; "" for values that this verifier never gives.
const char* trust_value_text(const char* name, int8_t value);

// What the verdict's claims say about each. What no claim is about stays 0: a virtual TPM says nothing about the hardware.
TrustVector trust_vector(const Verdict& verdict);
// contraindicated when refused; else the worst of the vector, and at best warning when a claim warned. none: the verifier
// could not appraise at all.
TrustTier trust_tier(const Verdict& verdict);

}  // namespace cstl
