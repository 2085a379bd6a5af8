// TPM2_MakeCredential in software (TPM 2.0 part 1, 24; part 3, 12.6), for the verifying side: encrypts a challenge that
// only the TPM with this endorsement key can recover, and only for the AK of this name. RSA-2048 EKs of the TCG's default
// template (AES-128-CFB, SHA-256); others are refused.
#pragma once

#include <string_view>
#include <vector>

#include "crypto/base/bytes.h"
#include "crypto/x509.h"

namespace cstl::tpm {

constexpr size_t kMaxCredential = 1024;

// The EK that the TCG's default template L-1 makes (TCG EK Credential Profile 2.x, B.3.3): RSA-2048, restricted decryption,
// AES-128-CFB, SHA-256, policy PolicySecret(endorsement).
constexpr size_t kEkModulus = 256;
constexpr uint32_t kEkAttributes = 0x000300b2;
constexpr Digest32 kEkPolicy = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
                                0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
                                0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};
// TPMT_PUBLIC of such an EK, into `out`. Errors: unsupported (a modulus of another size), too_long.
Result<Bytes> default_ek_public(Bytes modulus, MutBytes out);

// KDFa (part 1, 11.4.10.2) with HMAC-SHA-256; `out` at most 32 bytes. Exposed for its vectors.
Status kdfa_sha256(Bytes key, std::string_view label, Bytes context_u, Bytes context_v, MutBytes out);

// Returns TPM2B_ID_OBJECT ‖ TPM2B_ENCRYPTED_SECRET. `challenge` at most 32 bytes. Errors: unsupported (EK kind), crypto_failed.
Result<std::vector<uint8_t>> make_credential(const PublicKey& ek, Bytes ak_name, Bytes challenge);

}  // namespace cstl::tpm
