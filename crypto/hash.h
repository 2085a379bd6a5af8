// SHA-256 and SHA-384 (FIPS 180-4), HMAC-SHA-256 (FIPS 198-1), HKDF-SHA256 (RFC 5869) and random bytes.
// All from mbedTLS. Inputs may be secret; nothing is retained after return.
#pragma once

#include <initializer_list>

#include "crypto/base/secret.h"

namespace cstl {

using Digest48 = std::array<uint8_t, 48>;

// Hash of the concatenation of `parts`. Errors: crypto_failed.
Result<Digest32> sha256(std::initializer_list<Bytes> parts);
Result<Digest32> sha256_of(const std::vector<Bytes>& parts);
// Of `size` bytes from `offset` of a file or block device, or of what there is of them; the position for reading stays.
// Errors: crypto_failed, io.
Result<Digest32> sha256_file(int fd, uint64_t offset = 0, uint64_t size = UINT64_MAX);
Result<Digest48> sha384(std::initializer_list<Bytes> parts);

// HMAC over the concatenation of `parts`; the key has any length. Errors: crypto_failed.
Result<Digest32> hmac_sha256(Bytes key, std::initializer_list<Bytes> parts);

// HKDF extract and expand; `out` at most 255*32 bytes. Errors: crypto_failed, too_long.
Status hkdf_sha256(Bytes key, Bytes salt, Bytes info, MutBytes out);

// Fills from the process's CTR_DRBG, which is seeded by getrandom(2). Errors: no_entropy.
Status random_bytes(MutBytes out);

// For mbedTLS calls that take a random source: f_rng and its context, valid for the life of the process.
int random_callback(void* context, unsigned char* out, size_t size);

// mbedTLS's and PSA's process-wide state; idempotent; every other function of crypto/ calls it itself.
// Programs that sandbox themselves call it first. Errors: crypto_failed, no_entropy.
Status crypto_start();

}  // namespace cstl
