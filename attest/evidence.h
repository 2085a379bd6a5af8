// Evidence: a sequence of items, each u16 tag, u32 length, bytes; tags strictly ascending, so every evidence has one
// encoding. Which items must and which may be there depends on the variant; any other is refused. Parsing borrows from
// the input, allocates nothing, checks nothing but form. docs/wire/evidence.md.
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
constexpr size_t kMaxTeeReport = 16 * 1024;
constexpr size_t kMaxTeeCollateral = 64 * 1024;
constexpr size_t kMaxRuntimeData = 16 * 1024;
constexpr size_t kMaxCcel = 128 * 1024;
constexpr size_t kRegisters = 32;
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
  ak_certificate = 10,    // the AK's certificate and its issuers, leaf first, each u16 length and DER
  tee_report = 11,        // SEV-SNP attestation report (AMD 56860) or TDX quote version 4 or 5
  tee_certificates = 12,  // VCEK or VLEK, ASK or ASVK, ARK, leaf first, each u16 length and DER; a TDX quote has its own
  tee_collateral = 13,    // stapled collateral: entries u8 kind, u32 length, bytes; kinds ascending
  runtime_data = 14,      // what the platform hashed into its report, or signed: the AK's tie to it
  ccel = 15,              // event log of a TD's RTMRs (CC event log, crypto-agile format, SHA-384)
  registers = 16,         // kRegisters bytes: the cluster register of a machine without TPM
};

// What a variant's evidence rests on. A machine may have both.
constexpr bool has_tpm(Variant v) { return v != Variant::sev_snp && v != Variant::tdx && v != Variant::qemu_tdx; }
constexpr bool has_snp(Variant v) {
  return v == Variant::sev_snp || v == Variant::aws_sev_snp || v == Variant::azure_sev_snp || v == Variant::gcp_sev_snp;
}
constexpr bool has_tdx(Variant v) { return v == Variant::tdx || v == Variant::qemu_tdx || v == Variant::azure_tdx; }

struct Evidence {
  Variant variant = Variant::qemu_vtpm;
  Bytes quote, signature, ak_public, ek_certificate, ek_chain, pcr_values, event_log, merkle;
  Bytes ak_certificate, tee_report, tee_certificates, tee_collateral, runtime_data, ccel, registers;

  // Errors: evidence_malformed (order, unknown tag, missing mandatory item, one that the variant does not have),
  // too_long, truncated, variant_unknown.
  static Result<Evidence> decode(Bytes input);
  // Into `out`; empty items are left out. Errors: too_long.
  Result<Bytes> encode(MutBytes out) const;
  size_t encoded_size() const;
};

}  // namespace cstl
