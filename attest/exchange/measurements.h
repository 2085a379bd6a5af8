// Constellation's measurement files, read and written, so that a fleet can move with its reference values.
//
// Two forms of JSON (or YAML, once a reader made the same values of it):
//   {"4": {"expected": "<hex>", "warnOnly": false}, …}                         the measurements of one variant
//   {"version", "ref", "stream", "list": [{"csp", "attestationVariant", "measurements": {…}}, …]}   those of an image
// Indexes are PCRs and values SHA-256, but for qemu-tdx: 0 is MRTD, 1 to 4 are RTMR0 to RTMR3, and values are SHA-384.
// What is the cluster's is left out both ways: PCR 15; of qemu-tdx RTMR2 (Constellation's) and RTMR3 (ours).
#pragma once

#include "attest/reference/values.h"
#include "crypto/base/json.h"

namespace cstl {

constexpr size_t kMaxMeasurements = 256 * 1024;
constexpr size_t kMaxMeasurementLists = 64;

struct Measurement {
  uint8_t index = 0;
  std::vector<uint8_t> expected;  // 32 or 48 bytes
  bool warn_only = false;
};

// Of either form; of an image's file, the entry of `variant`. Ascending. Errors: measurements_malformed (also when there is
// nothing to enforce), variant_unknown (the file has no such entry). `problem` (may be null) names the place.
Result<std::vector<Measurement>> read_measurements(const nlohmann::json& document, Variant variant, std::string* problem);

// Puts them into a set, in the place of its PCRs (or of MRTD and RTMRs). Errors: measurements_malformed (a value of a wrong
// size, or one that only warns where the set's format has no such thing); unsupported (a variant without measurements).
Status apply_measurements(const std::vector<Measurement>& measurements, ReferenceSet* set, std::string* problem);

// What the set expects, as measurements. Errors: unsupported (an index with several values: Constellation knows one).
Result<std::vector<Measurement>> measurements_of(const ReferenceSet& set, std::string* problem);

struct ImageLabel {
  std::string version, ref, stream;  // "v2.25.0", "-", "stable"
};
// The image's form if `image` is not null, else that of one variant; deterministic.
std::string write_measurements(const std::vector<Measurement>& measurements, Variant variant, const ImageLabel* image);

}  // namespace cstl
