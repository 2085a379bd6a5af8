#include "crypto/x25519.h"

#include "crypto/mbedtls.h"

namespace cstl {

namespace {
using KeyPair = Pinned<mbedtls_ecp_keypair, mbedtls_ecp_keypair_init, mbedtls_ecp_keypair_free>;
}

Result<Secret<32>> x25519_generate() {
  Secret<32> out;
  TRY(random_bytes(out.fill()));
  uint8_t* bytes = out.fill().data();
  bytes[0] &= 248;
  bytes[31] = static_cast<uint8_t>((bytes[31] & 127) | 64);
  return out;
}

Result<std::array<uint8_t, 32>> x25519_public(const Secret<32>& key) {
  TRY(crypto_start());
  Bytes raw = key.declassify();
  if ((raw[0] & 7) != 0 || (raw[31] & 192) != 64) return fail(Code::bad_key, "x25519.clamped");
  KeyPair pair;
  TRY(mbed_ok(mbedtls_ecp_read_key(MBEDTLS_ECP_DP_CURVE25519, pair.get(), raw.data(), raw.size()), Code::crypto_failed,
              "x25519.read"));
  TRY(mbed_ok(mbedtls_ecp_keypair_calc_public(pair.get(), random_callback, nullptr), Code::crypto_failed, "x25519.public"));
  std::array<uint8_t, 32> out{};
  size_t size = 0;
  TRY(mbed_ok(mbedtls_ecp_write_public_key(pair.get(), MBEDTLS_ECP_PF_UNCOMPRESSED, &size, out.data(), out.size()),
              Code::crypto_failed, "x25519.write"));
  if (size != out.size()) return fail(Code::crypto_failed, "x25519.size");
  return out;
}

}  // namespace cstl
