#include "attest/tpm/structures.h"

#include "crypto/hash.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

namespace {
template <typename T>
Code code_of(const Buffer& data) {
  return T::decode(data).code();
}

Buffer edited(Buffer data, size_t at, std::initializer_list<uint8_t> bytes) {
  for (uint8_t byte : bytes) data[at++] = byte;
  return data;
}
}  // namespace

TEST_CASE("attest: a real quote says what was quoted") {
  Buffer data = load("tpm/ecc.quote");
  Result<Attest> quote = Attest::decode(data);
  REQUIRE(quote.ok());
  CHECK(quote->magic == kGenerated);
  CHECK(quote->type == kAttestQuote);
  CHECK(quote->qualified_signer.size() == 34);
  CHECK(quote->extra_data.size() == 32);
  CHECK(quote->pcr_algorithm == kAlgSha256);
  CHECK(quote->pcr_mask == 0xffffff);
  CHECK(quote->pcr_digest.size() == 32);
  CHECK(Attest::decode(load("tpm/partial.quote"))->pcr_mask == 0xff);
}

TEST_CASE("attest: another signed structure parses, and is no quote") {
  Buffer data = load("tpm/certify.quote");
  Result<Attest> certify = Attest::decode(data);
  REQUIRE(certify.ok());
  CHECK(certify->magic == kGenerated);
  CHECK(certify->type == 0x8017);
}

TEST_CASE("structures: each truncation and each surplus byte is refused") {
  for (const char* name : {"ecc", "rsa-pss", "rsa-pkcs1"}) {
    std::string base = std::string("tpm/") + name;
    Buffer quote = load(base + ".quote"), signature = load(base + ".signature"), key = load(base + ".public");
    for (size_t n = 0; n < quote.size(); ++n) CHECK(Attest::decode(Bytes(quote).first(n)).code() == Code::truncated);
    for (size_t n = 0; n < signature.size(); ++n) CHECK(!Signature::decode(Bytes(signature).first(n)).ok());
    for (size_t n = 0; n < key.size(); ++n) CHECK(Public::decode(Bytes(key).first(n)).code() == Code::truncated);
    quote.push_back(0);
    signature.push_back(0);
    key.push_back(0);
    CHECK(code_of<Attest>(quote) == Code::trailing);
    CHECK(code_of<Signature>(signature) == Code::trailing);
    CHECK(code_of<Public>(key) == Code::trailing);
  }
}

TEST_CASE("structures: each rule has its code") {
  Buffer quote = load("tpm/ecc.quote");
  // magic 0, type 4, qualified signer 6 (2 + 34), extra data 42 (2 + 32), clock 76, counters 84, safe 92, firmware 93,
  // banks 101, algorithm 105, select size 107, select 108, digest 111.
  CHECK(code_of<Attest>(edited(quote, 4, {0x80, 0x1b})) == Code::quote_type);
  CHECK(code_of<Attest>(edited(quote, 4, {0x00, 0x00})) == Code::quote_type);
  CHECK(code_of<Attest>(edited(quote, 6, {0x00, 0x43})) == Code::too_long);
  CHECK(code_of<Attest>(edited(quote, 42, {0x00, 0x43})) == Code::too_long);
  CHECK(code_of<Attest>(edited(quote, 92, {2})) == Code::bad_value);
  CHECK(code_of<Attest>(edited(quote, 101, {0, 0, 0, 0})) == Code::bad_value);
  CHECK(code_of<Attest>(edited(quote, 101, {0, 0, 0, 2})) == Code::bad_value);
  CHECK(code_of<Attest>(edited(quote, 107, {2})) == Code::bad_value);
  CHECK(code_of<Attest>(edited(quote, 107, {5})) == Code::bad_value);
  CHECK(code_of<Attest>(edited(quote, 111, {0, 65})) == Code::too_long);
  CHECK(code_of<Attest>(Buffer(kMaxQuote + 1)) == Code::too_long);

  Buffer signature = load("tpm/ecc.signature");
  CHECK(code_of<Signature>(edited(signature, 0, {0x00, 0x1a})) == Code::unsupported);  // ECDAA
  CHECK(code_of<Signature>(edited(signature, 2, {0x00, 0x04})) == Code::unsupported);  // SHA-1
  CHECK(code_of<Signature>(edited(signature, 4, {0x00, 0x21})) == Code::too_long);
  CHECK(code_of<Signature>(Buffer(kMaxTpmSignature + 1)) == Code::too_long);

  Buffer ecc = load("tpm/ecc.public");
  // type 0, name algorithm 2, attributes 4, policy 8, symmetric 10, scheme 12 and hash 14, curve 16, kdf 18, x 20, y.
  CHECK(code_of<Public>(edited(ecc, 0, {0x00, 0x08})) == Code::unsupported);
  CHECK(code_of<Public>(edited(ecc, 8, {0x00, 0x41})) == Code::too_long);
  CHECK(code_of<Public>(edited(ecc, 10, {0x00, 0x26})) == Code::unsupported);  // Camellia
  CHECK(code_of<Public>(edited(ecc, 12, {0x00, 0x1a})) == Code::unsupported);
  CHECK(code_of<Public>(edited(ecc, 16, {0x00, 0x04})) == Code::unsupported);  // P-384
  CHECK(code_of<Public>(edited(ecc, 18, {0x00, 0x20})) == Code::unsupported);
  CHECK(code_of<Public>(edited(ecc, 20, {0x00, 0x21})) == Code::too_long);
  Buffer rsa = load("tpm/rsa-pss.public");
  // … scheme 12 and hash 14, bits 16, exponent 18, modulus 22.
  CHECK(code_of<Public>(edited(rsa, 16, {0x0c, 0x00})) == Code::bad_value);
  CHECK(code_of<Public>(edited(rsa, 16, {0x08, 0x01})) == Code::bad_value);
  CHECK(Public::decode(rsa)->rsa_exponent == 65537);
  CHECK(code_of<Public>(Buffer(kMaxTpmPublic + 1)) == Code::too_long);
}

TEST_CASE("name: hash of the public area under its own algorithm, SHA-256 only") {
  Buffer key = load("tpm/ecc.public");
  Result<std::array<uint8_t, 34>> name = name_of(key);
  REQUIRE(name.ok());
  CHECK(equal(Bytes(*name).first(2), Buffer{0x00, 0x0b}));
  CHECK(equal(Bytes(*name).skip(2), *sha256({key})));
  CHECK(name_of(edited(key, 2, {0x00, 0x0c})).code() == Code::unsupported);
  CHECK(name_of(Buffer{0, 1, 0}).code() == Code::truncated);
}
