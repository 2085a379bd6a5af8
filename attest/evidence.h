// Evidence: a sequence of items, each u16 tag, u32 length, bytes; tags strictly ascending, so every evidence has one
// encoding. Parsing borrows from the input, allocates nothing, checks nothing but form. docs/wire/evidence.md.
#pragma once

#include "attest/variant.h"
#include "crypto/base/bytes.h"

namespace cstl {

constexpr size_t kMaxEvidence = 256 * 1024;
constexpr size_t kMaxQuote = 1024;            // TPMS_ATTEST
constexpr size_t kMaxTpmSignature = 1024;     // TPMT_SIGNATURE
constexpr size_t kMaxTpmPublic = 1024;        // TPMT_PUBLIC
constexpr size_t kMaxCertificateChain = 32 * 1024;
constexpr size_t kMaxEventLog = 128 * 1024;
constexpr size_t kMaxMerklePath = 16 * 32;
constexpr size_t kPcrCount = 24;
constexpr size_t kPcrValues = kPcrCount * 32; // SHA-256 bank, index 0 first

enum class EvidenceTag : uint16_t {
  variant = 1,            // 1 byte
  quote = 2,              // TPMS_ATTEST, TPM 2.0 part 2, 10.12.12
  signature = 3,          // TPMT_SIGNATURE, part 2, 11.3.4
  ak_public = 4,          // TPMT_PUBLIC, part 2, 12.2.4
  ek_certificate = 5,     // DER
  ek_chain = 6,           // intermediates and root, each u16 length and DER
  pcr_values = 7,         // kPcrValues bytes
  event_log = 8,          // TCG PC Client Platform Firmware Profile, crypto-agile format
  merkle = 9,             // u32 leaf index, u32 tree size, then 32 bytes per level (RFC 6962, 2.1.1)
};

struct Evidence {
  Variant variant = Variant::qemu_vtpm;
  Bytes quote, signature, ak_public, ek_certificate, ek_chain, pcr_values, event_log, merkle;

  // Errors: evidence_malformed (order, unknown tag, missing mandatory item), too_long, truncated, variant_unknown.
  static Result<Evidence> decode(Bytes input);
  // Into `out`; empty optional items (ek_certificate, ek_chain, event_log) are left out. Errors: too_long.
  Result<Bytes> encode(MutBytes out) const;
};

}  // namespace cstl
