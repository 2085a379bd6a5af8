// SHA-256, SHA-384 and SHA-512 (FIPS 180-4), HMAC-SHA-256 (FIPS 198-1), HKDF-SHA256 (RFC 5869) and random bytes.
// All from mbedTLS. Inputs may be secret; nothing is retained after return.
#pragma once

#include <initializer_list>
#include <memory>

#include "crypto/base/secret.h"

namespace cstl {

using Digest48 = std::array<uint8_t, 48>;
using Digest64 = std::array<uint8_t, 64>;

enum class HashKind : uint8_t { sha256, sha384, sha512 };
constexpr size_t hash_size(HashKind kind) { return kind == HashKind::sha256 ? 32 : kind == HashKind::sha384 ? 48 : 64; }

// Hash of the concatenation of `parts`. Errors: crypto_failed.
Result<Digest32> sha256(std::initializer_list<Bytes> parts);
Result<Digest32> sha256_of(const std::vector<Bytes>& parts);
// Of `size` bytes from `offset` of a file or block device, or of what there is of them; the position for reading stays.
// Errors: crypto_failed, io.
Result<Digest32> sha256_file(int fd, uint64_t offset = 0, uint64_t size = UINT64_MAX);
Result<Digest48> sha384(std::initializer_list<Bytes> parts);
Result<Digest64> sha512(std::initializer_list<Bytes> parts);

// A digest of hash_size(kind) bytes, for those who learn the algorithm from data. Public.
class Digest {
 public:
  operator Bytes() const { return Bytes(value_.data(), size_); }  // NOLINT: implicit on purpose

 private:
  friend class Hash;
  Digest64 value_{};
  size_t size_ = 0;
};

// A hash of what comes bit by bit. Movable; wiped on destruction.
class Hash {
 public:
  static Result<Hash> create(HashKind kind);  // crypto_failed
  static Result<Digest> of(HashKind kind, std::initializer_list<Bytes> parts);
  Status update(Bytes part);                  // crypto_failed
  Result<Digest> finish();                    // the last call: crypto_failed afterwards

 private:
  struct State;
  struct Delete { void operator()(State* state) const; };
  Hash() = default;
  std::unique_ptr<State, Delete> state_;
};

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
