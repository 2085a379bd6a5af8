#include "crypto/hash.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/entropy.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <psa/crypto.h>
#include <unistd.h>

#include "crypto/base/utc.h"
#include "crypto/mbedtls.h"

namespace cstl {

namespace {
using Sha256 = Pinned<mbedtls_sha256_context, mbedtls_sha256_init, mbedtls_sha256_free>;
using Sha512 = Pinned<mbedtls_sha512_context, mbedtls_sha512_init, mbedtls_sha512_free>;
using Md = Pinned<mbedtls_md_context_t, mbedtls_md_init, mbedtls_md_free>;

constexpr size_t kMaxHkdf = 255 * 32;  // RFC 5869, 2.3
}  // namespace

namespace {
template <typename Parts>
Result<Digest32> sha256_parts(const Parts& parts) {
  Sha256 context;
  Digest32 out;
  TRY(mbed_ok(mbedtls_sha256_starts(context.get(), 0), Code::crypto_failed, "sha256.start"));
  for (Bytes part : parts) {
    TRY(mbed_ok(mbedtls_sha256_update(context.get(), part.data(), part.size()), Code::crypto_failed, "sha256.update"));
  }
  TRY(mbed_ok(mbedtls_sha256_finish(context.get(), out.data()), Code::crypto_failed, "sha256.finish"));
  return out;
}
}  // namespace

Result<Digest32> sha256(std::initializer_list<Bytes> parts) { return sha256_parts(parts); }
Result<Digest32> sha256_of(const std::vector<Bytes>& parts) { return sha256_parts(parts); }

Result<Digest32> sha256_file(int fd, uint64_t offset, uint64_t size) {
  Sha256 context;
  TRY(mbed_ok(mbedtls_sha256_starts(context.get(), 0), Code::crypto_failed, "sha256.start"));
  std::vector<uint8_t> chunk(256 * 1024);
  while (size > 0) {
    ssize_t n = pread(fd, chunk.data(), std::min<uint64_t>(chunk.size(), size), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("sha256.read");
    if (n == 0) break;
    TRY(mbed_ok(mbedtls_sha256_update(context.get(), chunk.data(), static_cast<size_t>(n)), Code::crypto_failed,
                "sha256.update"));
    offset += static_cast<uint64_t>(n);
    size -= static_cast<uint64_t>(n);
  }
  Digest32 out;
  TRY(mbed_ok(mbedtls_sha256_finish(context.get(), out.data()), Code::crypto_failed, "sha256.finish"));
  return out;
}

namespace {
template <size_t N>
Result<std::array<uint8_t, N>> sha512_parts(std::initializer_list<Bytes> parts) {
  Sha512 context;
  std::array<uint8_t, N> out;
  TRY(mbed_ok(mbedtls_sha512_starts(context.get(), N == 48), Code::crypto_failed, "sha512.start"));
  for (Bytes part : parts) {
    TRY(mbed_ok(mbedtls_sha512_update(context.get(), part.data(), part.size()), Code::crypto_failed, "sha512.update"));
  }
  TRY(mbed_ok(mbedtls_sha512_finish(context.get(), out.data()), Code::crypto_failed, "sha512.finish"));
  return out;
}

mbedtls_md_type_t md_of(HashKind kind) {
  return kind == HashKind::sha256 ? MBEDTLS_MD_SHA256 : kind == HashKind::sha384 ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA512;
}
}  // namespace

Result<Digest48> sha384(std::initializer_list<Bytes> parts) { return sha512_parts<48>(parts); }
Result<Digest64> sha512(std::initializer_list<Bytes> parts) { return sha512_parts<64>(parts); }

struct Hash::State {
  HashKind kind;
  Md md;
};

void Hash::Delete::operator()(State* state) const { delete state; }

Result<Hash> Hash::create(HashKind kind) {
  Hash out;
  out.state_.reset(new State{kind, {}});
  mbedtls_md_context_t* md = out.state_->md.get();
  TRY(mbed_ok(mbedtls_md_setup(md, mbedtls_md_info_from_type(md_of(kind)), 0), Code::crypto_failed, "hash.setup"));
  TRY(mbed_ok(mbedtls_md_starts(md), Code::crypto_failed, "hash.start"));
  return out;
}

Status Hash::update(Bytes part) {
  if (state_ == nullptr) return fail(Code::crypto_failed, "hash.finished");
  return mbed_ok(mbedtls_md_update(state_->md.get(), part.data(), part.size()), Code::crypto_failed, "hash.update");
}

Result<Digest> Hash::finish() {
  if (state_ == nullptr) return fail(Code::crypto_failed, "hash.finished");
  Digest out;
  out.size_ = hash_size(state_->kind);
  TRY(mbed_ok(mbedtls_md_finish(state_->md.get(), out.value_.data()), Code::crypto_failed, "hash.finish"));
  state_.reset();
  return out;
}

Result<Digest> Hash::of(HashKind kind, std::initializer_list<Bytes> parts) {
  TRY_LET(Hash hash, create(kind));
  for (Bytes part : parts) TRY(hash.update(part));
  return hash.finish();
}

Result<Digest32> hmac_sha256(Bytes key, std::initializer_list<Bytes> parts) {
  Md context;
  Digest32 out;
  const mbedtls_md_info_t* info = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  TRY(mbed_ok(mbedtls_md_setup(context.get(), info, 1), Code::crypto_failed, "hmac.setup"));
  TRY(mbed_ok(mbedtls_md_hmac_starts(context.get(), key.data(), key.size()), Code::crypto_failed, "hmac.start"));
  for (Bytes part : parts) {
    TRY(mbed_ok(mbedtls_md_hmac_update(context.get(), part.data(), part.size()), Code::crypto_failed, "hmac.update"));
  }
  TRY(mbed_ok(mbedtls_md_hmac_finish(context.get(), out.data()), Code::crypto_failed, "hmac.finish"));
  return out;
}

Status hkdf_sha256(Bytes key, Bytes salt, Bytes info, MutBytes out) {
  if (out.size() > kMaxHkdf) return fail(Code::too_long, "hkdf.size");
  const mbedtls_md_info_t* md = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  return mbed_ok(mbedtls_hkdf(md, salt.data(), salt.size(), key.data(), key.size(), info.data(), info.size(),
                              out.data(), out.size()),
                 Code::crypto_failed, "hkdf");
}

// PSA owns the one CTR_DRBG of the process. It reseeds when getpid() changes (since mbedTLS 3.6.6), so that children of one
// process do not draw the same bytes.
Status random_bytes(MutBytes out) {
  TRY(crypto_start());
  return mbed_ok(random_callback(nullptr, out.data(), out.size()), Code::no_entropy, "random.bytes");
}

int random_callback(void*, unsigned char* out, size_t size) {
  return psa_generate_random(out, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
}

Status crypto_start() {
  psa_status_t status = psa_crypto_init();
  if (status == PSA_ERROR_INSUFFICIENT_ENTROPY) {
    return fail(Code::no_entropy, "crypto.start", Origin::mbedtls, status);
  }
  return mbed_ok(status, Code::crypto_failed, "crypto.start");
}

}  // namespace cstl

// Certificates' dates, for mbedTLS (MBEDTLS_PLATFORM_GMTIME_R_ALT).
extern "C" std::tm* mbedtls_platform_gmtime_r(const mbedtls_time_t* seconds, std::tm* out) {
  return cstl::utc_fields(*seconds, out) ? out : nullptr;
}
