// TPM2_MakeCredential in software (TPM 2.0 part 1, 24; part 3, 12.6), for the verifying side: encrypts a challenge that
// only the TPM with this endorsement key can recover, and only for the AK of this name. RSA-2048 EKs of the TCG's default
// template (AES-128-CFB, SHA-256); others are refused.
#pragma once

#include "crypto/base/bytes.h"
#include "crypto/x509.h"

namespace cstl::tpm {

constexpr size_t kMaxCredential = 1024;

// KDFa (part 1, 11.4.10.2) with HMAC-SHA-256; `out` at most 32 bytes. Exposed for its vectors.
Status kdfa_sha256(Bytes key, std::string_view label, Bytes context_u, Bytes context_v, MutBytes out);

// Returns TPM2B_ID_OBJECT ‖ TPM2B_ENCRYPTED_SECRET. `challenge` at most 32 bytes. Errors: unsupported (EK kind), crypto_failed.
Result<std::vector<uint8_t>> make_credential(const PublicKey& ek, Bytes ak_name, Bytes challenge);

}  // namespace cstl::tpm
