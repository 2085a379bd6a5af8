// The TPM 2.0 structures (TPM 2.0 Library Specification, part 2) that evidence carries, parsed by ourselves: tpm2-tss is
// for issuing only. Total, borrowing, no allocation. Parsing is not verification: see attest/tpm/verify.h.
#pragma once

#include "attest/evidence.h"

namespace cstl::tpm {

constexpr uint32_t kGenerated = 0xff544347;  // TPM_GENERATED_VALUE
constexpr uint16_t kAttestQuote = 0x8018;    // TPM_ST_ATTEST_QUOTE
constexpr uint16_t kAlgRsa = 0x0001, kAlgSha1 = 0x0004, kAlgAes = 0x0006, kAlgSha256 = 0x000b, kAlgSha384 = 0x000c,
                   kAlgSha512 = 0x000d, kAlgNull = 0x0010, kAlgRsassa = 0x0014, kAlgRsapss = 0x0016, kAlgEcdsa = 0x0018,
                   kAlgEcc = 0x0023, kAlgCfb = 0x0043;
constexpr uint16_t kCurveP256 = 0x0003;

// TPMA_OBJECT bits (part 2, 8.3).
constexpr uint32_t kFixedTpm = 1u << 1, kFixedParent = 1u << 4, kSensitiveDataOrigin = 1u << 5, kUserWithAuth = 1u << 6,
                   kNoDa = 1u << 10, kRestricted = 1u << 16, kDecrypt = 1u << 17, kSign = 1u << 18;

// TPMS_ATTEST with any attested type; `pcr_*` are set only for a quote. Errors: truncated, too_long, trailing,
// quote_type (unknown type), bad_value (a selection of more than one bank, or a size other than 3 or 4).
struct Attest {
  uint32_t magic = 0;
  uint16_t type = 0;
  Bytes qualified_signer, extra_data;
  uint64_t clock = 0;
  uint32_t reset_count = 0, restart_count = 0;
  uint8_t safe = 0;
  uint64_t firmware_version = 0;
  uint16_t pcr_algorithm = 0;
  uint32_t pcr_mask = 0;   // bit i: PCR i is selected
  Bytes pcr_digest;
  static Result<Attest> decode(Bytes input);
};

// TPMT_SIGNATURE: RSASSA or RSAPSS (rsa) or ECDSA (r, s), hash SHA-256 only. Errors: unsupported, truncated, ….
struct Signature {
  uint16_t algorithm = 0;
  uint16_t hash = 0;
  Bytes rsa, r, s;
  static Result<Signature> decode(Bytes input);
};

// TPMT_PUBLIC of an RSA or an ECC P-256 key. Errors: unsupported (other kinds), truncated, trailing, ….
struct Public {
  uint16_t type = 0, name_algorithm = 0;
  uint32_t attributes = 0;
  Bytes policy;
  uint16_t symmetric = 0, symmetric_bits = 0, symmetric_mode = 0;
  uint16_t scheme = 0, scheme_hash = 0;
  uint16_t rsa_bits = 0;
  uint32_t rsa_exponent = 0;  // 65537 when the structure says 0
  Bytes rsa_modulus;
  uint16_t curve = 0;
  Bytes ecc_x, ecc_y;
  static Result<Public> decode(Bytes input);
};

// Name of a public area: nameAlg ‖ H_nameAlg(TPMT_PUBLIC) (part 1, 16), SHA-256 only: 34 bytes. Errors: unsupported.
Result<std::array<uint8_t, 34>> name_of(Bytes public_area);

}  // namespace cstl::tpm
