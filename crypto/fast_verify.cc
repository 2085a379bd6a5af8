#include "crypto/fast_verify.h"

#include <memory>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>

#include "crypto/verify_backend.h"

namespace cstl {

namespace {
constexpr BN_ULONG kRsaExponent = 65537;

template <typename T, void (*Free)(T*)>
struct Freer {
  void operator()(T* value) const { Free(value); }
};
template <typename T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Freer<T, Free>>;

using Number = Owned<BIGNUM, BN_free>;
using Context = Owned<BN_CTX, BN_CTX_free>;
using Montgomery = Owned<BN_MONT_CTX, BN_MONT_CTX_free>;
using Point = Owned<EC_POINT, EC_POINT_free>;
using Key = Owned<EC_KEY, EC_KEY_free>;
using Signature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

Number number(Bytes big_endian) { return Number(BN_bin2bn(big_endian.data(), big_endian.size(), nullptr)); }

Status ecdsa(Bytes point, Bytes digest, Bytes r, Bytes s) {
  const EC_GROUP* group = point.size() == 65 ? EC_group_p256() : EC_group_p384();
  Point q(EC_POINT_new(group));
  Key key(EC_KEY_new());
  Signature signature(ECDSA_SIG_new());
  Number first = number(r), second = number(s);
  if (!q || !key || !signature || !first || !second || EC_KEY_set_group(key.get(), group) != 1) {
    return fail(Code::crypto_failed, "fast_ecdsa.memory");
  }
  if (EC_POINT_oct2point(group, q.get(), point.data(), point.size(), nullptr) != 1 ||
      EC_KEY_set_public_key(key.get(), q.get()) != 1) {
    return fail(Code::bad_key, "fast_ecdsa.point");
  }
  if (ECDSA_SIG_set0(signature.get(), first.get(), second.get()) != 1) {
    return fail(Code::crypto_failed, "fast_ecdsa.signature");
  }
  (void)first.release();  // the signature owns them now
  (void)second.release();
  if (ECDSA_do_verify(digest.data(), digest.size(), signature.get(), key.get()) != 1) {
    return fail(Code::bad_signature, "fast_ecdsa.verify");
  }
  return success();
}

Status rsa_public(Bytes modulus, Bytes signature, MutBytes out) {
  Context context(BN_CTX_new());
  Number n = number(modulus), base = number(signature), power(BN_new()), exponent(BN_new());
  if (!context || !n || !base || !power || !exponent || BN_set_word(exponent.get(), kRsaExponent) != 1) {
    return fail(Code::crypto_failed, "fast_rsa.memory");
  }
  Montgomery form(BN_MONT_CTX_new_for_modulus(n.get(), context.get()));
  if (!form) return fail(Code::bad_key, "fast_rsa.modulus");
  if (BN_cmp(base.get(), n.get()) >= 0) return fail(Code::bad_signature, "fast_rsa.range");
  if (BN_mod_exp_mont(power.get(), base.get(), exponent.get(), n.get(), context.get(), form.get()) != 1 ||
      BN_bn2bin_padded(out.data(), out.size(), power.get()) != 1) {
    return fail(Code::crypto_failed, "fast_rsa.power");
  }
  return success();
}

constexpr VerifyBackend kAwsLc{ecdsa, rsa_public};
}  // namespace

FastVerification::FastVerification() { verify_backend = &kAwsLc; }
FastVerification::~FastVerification() { verify_backend = nullptr; }

}  // namespace cstl
