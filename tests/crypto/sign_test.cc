#include "crypto/sign.h"

#include <doctest/doctest.h>

using namespace cstl;

namespace {
Digest32 digest_of(std::string_view text) { return *sha256({text}); }

Status verify(const P256Point& key, const Digest32& digest, const P256Signature& signature) {
  Bytes raw = signature;
  return verify_p256(key, digest, raw.first(32), raw.skip(32));
}

Secret<32> scalar(std::string_view hex) {
  Secret<32> out;
  CHECK(from_hex(hex, out.fill()).ok());
  return out;
}

// FIPS 186-4's group order of P-256.
constexpr const char* kOrder = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
}  // namespace

// RFC 6979, A.2.5, message "sample" with SHA-256.
TEST_CASE("a signature is RFC 6979's") {
  Result<SigningKey> key =
      SigningKey::from_scalar(scalar("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"));
  REQUIRE(key.ok());
  CHECK(to_hex(key->point()) ==
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
  Result<P256Signature> signature = key->sign(digest_of("sample"));
  REQUIRE(signature.ok());
  CHECK(to_hex(*signature) ==
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
}

TEST_CASE("a fresh key signs, and every flipped bit of digest or signature is refused") {
  Result<SigningKey> key = SigningKey::generate();
  REQUIRE(key.ok());
  Digest32 digest = digest_of("message");
  Result<P256Signature> signature = key->sign(digest);
  REQUIRE(signature.ok());
  CHECK(verify(key->point(), digest, *signature).ok());
  for (size_t bit = 0; bit < 64 * 8; bit += 7) {
    P256Signature bad = *signature;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CHECK(verify(key->point(), digest, bad).code() == Code::bad_signature);
  }
  for (size_t bit = 0; bit < 32 * 8; bit += 13) {
    Digest32 bad = digest;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CHECK(verify(key->point(), bad, *signature).code() == Code::bad_signature);
  }
  Result<SigningKey> other = SigningKey::generate();
  CHECK(verify(other->point(), digest, *signature).code() == Code::bad_signature);
}

TEST_CASE("r and s outside 1..n-1 or of a wrong size are refused") {
  Result<SigningKey> key = SigningKey::generate();
  REQUIRE(key.ok());
  Digest32 digest = digest_of("message");
  Secret<32> order = scalar(kOrder);
  Digest32 zero{};
  Digest32 one{};
  one[31] = 1;
  std::vector<uint8_t> long_one(33);
  long_one[32] = 1;
  Bytes values[] = {Bytes(), zero, order.declassify(), long_one};
  for (Bytes bad : values) {
    CHECK(verify_p256(key->point(), digest, bad, one).code() == Code::bad_signature);
    CHECK(verify_p256(key->point(), digest, one, bad).code() == Code::bad_signature);
  }
}

TEST_CASE("a scalar outside 1..n-1 and a point off the curve are no keys") {
  CHECK(SigningKey::from_scalar(Secret<32>()).code() == Code::bad_key);
  CHECK(SigningKey::from_scalar(scalar(kOrder)).code() == Code::bad_key);
  Secret<32> all_ones;
  std::memset(all_ones.fill().data(), 0xff, 32);
  CHECK(SigningKey::from_scalar(all_ones).code() == Code::bad_key);

  Digest32 one{};
  one[31] = 1;
  P256Point zero{};
  CHECK(verify_p256(zero, one, one, one).code() == Code::bad_key);
  zero[0] = 4;
  CHECK(verify_p256(zero, one, one, one).code() == Code::bad_key);
  P256Point off = SigningKey::generate()->point();
  off[64] ^= 1;
  CHECK(verify_p256(off, one, one, one).code() == Code::bad_key);
  P256Point compressed = SigningKey::generate()->point();
  compressed[0] = 2;
  CHECK(verify_p256(compressed, one, one, one).code() == Code::bad_key);
}

TEST_CASE("RSA keys outside the profile are refused before anything is verified") {
  std::vector<uint8_t> modulus(256, 0xff);
  Digest32 digest{};
  struct Row { const char* why; size_t size; uint8_t first, last; uint32_t exponent; } rows[] = {
      {"1024 bits", 128, 0xff, 0xff, 65537}, {"2047 bits", 256, 0x7f, 0xff, 65537},
      {"even", 256, 0xff, 0xfe, 65537},      {"leading zero", 257, 0, 0xff, 65537},
      {"exponent 3", 256, 0xff, 0xff, 3},    {"8192 bits", 1024, 0xff, 0xff, 65537},
      {"empty", 0, 0, 0, 65537},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    std::vector<uint8_t> n(row.size, 0xff);
    if (row.size != 0) {
      n.front() = row.first;
      n.back() = row.last;
    }
    CHECK(verify_rsa(n, row.exponent, RsaPadding::pss, digest, n).code() == Code::bad_key);
    CHECK(rsa_oaep_encrypt(n, row.exponent, "", "x", n).code() == Code::bad_key);
  }
}

// NIST SP 800-38A, F.3.13 has another IV; this value comes from `openssl enc -aes-128-cfb` with a zero IV.
TEST_CASE("AES-128-CFB encrypts in place with a zero IV") {
  Result<Secret<16>> key = Secret<16>::copy_of("0123456789abcdef");
  REQUIRE(key.ok());
  std::vector<uint8_t> data = Bytes("a credential that is longer than one block").copy();
  CHECK(aes128_cfb_encrypt(*key, data).ok());
  CHECK(to_hex(data) == "6abb76a82e20c59b6174aea8e06b5db498d3ebe925e7bd8af3777f207b6b7cf04a489e2f4d39fa3f0f40");
}
