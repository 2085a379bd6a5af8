#include "attest/tpm/verify.h"

#include "attest/merkle.h"
#include "attest/tpm/credential.h"
#include "crypto/x509.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

namespace {
Digest32 qualifier(const Parts& parts) {
  Result<MerklePath> path = MerklePath::decode(parts.merkle);
  REQUIRE(path.ok());
  return *quote_qualifier(*merkle_root_of(*path, test_binding()));
}

Code verify(const Parts& parts, Bytes ek_modulus = Bytes()) {
  QuoteStep reached = QuoteStep::form;
  Result<VerifiedQuote> quote = verify_quote(parts.view(), qualifier(parts), ek_modulus, reached);
  CHECK((reached == QuoteStep::done) == quote.ok());
  return quote.code();
}

void write_u32(Buffer& data, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) data[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

const char* const kQuotes[] = {"ecc", "ecc-tree", "rsa-pss", "rsa-pkcs1"};
}  // namespace

TEST_CASE("verify: quotes that tpm2_quote made pass, of each kind of key") {
  for (const char* name : kQuotes) {
    INFO(std::string(name));
    CHECK(verify(Parts::of(name)) == Code::ok);
  }
}

TEST_CASE("verify: a child of the endorsement key passes only with that key") {
  Parts child = Parts::of("child").endorsed();
  Result<PublicKey> ek = certificate_key(child.ek_certificate);
  REQUIRE(ek.ok());
  CHECK(verify(child, ek->modulus) == Code::ok);
  CHECK(verify(child) == Code::quote_key);
  Buffer other = ek->modulus;
  other[17] ^= 1;
  CHECK(verify(child, other) == Code::quote_key);
}

TEST_CASE("verify: every truncation and every flipped bit of a signed object is refused") {
  for (const char* name : kQuotes) {
    INFO(std::string(name));
    const Parts good = Parts::of(name);
    const Digest32 expected = qualifier(good);
    struct Field {
      const char* name;
      Buffer Parts::*field;
    };
    for (Field field : {Field{"quote", &Parts::quote}, Field{"signature", &Parts::signature},
                        Field{"AK", &Parts::ak_public}, Field{"PCR values", &Parts::pcr_values}}) {
      INFO(std::string(field.name));
      // The digest over the values does not depend on the key: once is enough.
      if (field.field == &Parts::pcr_values && std::string(name) != "ecc") continue;
      each_damage(good.*field.field, [&](const Buffer& damaged, const std::string& what) {
        Parts bad = good;
        bad.*field.field = damaged;
        QuoteStep reached = QuoteStep::form;
        Result<VerifiedQuote> quote = verify_quote(bad.view(), expected, Bytes(), reached);
        if (quote.ok()) MESSAGE(what);
        REQUIRE(!quote.ok());
      });
    }
  }
}

TEST_CASE("verify: each lie has its own code") {
  const Parts good = Parts::of("ecc");
  struct Row {
    const char* name;
    std::function<void(Parts&)> lie;
    Code code;
  };
  const Row rows[] = {
      {"not made by a TPM", [](Parts& p) { write_u32(p.quote, 0, 0xff544348); }, Code::quote_magic},
      {"another structure, truly signed by the AK",
       [](Parts& p) {
         p.quote = load("tpm/certify.quote");
         p.signature = load("tpm/certify.signature");
       },
       Code::quote_type},
      {"a key that is not restricted", [](Parts& p) { p = Parts::of("free"); }, Code::quote_key},
      {"a key that may leave its TPM", [](Parts& p) { p.ak_public[7] ^= 0x02; }, Code::quote_key},
      {"a key that was imported", [](Parts& p) { p.ak_public[7] ^= 0x20; }, Code::quote_key},
      {"a key under a parent that may leave", [](Parts& p) { p.ak_public[7] ^= 0x10; }, Code::quote_key},
      {"a key that decrypts", [](Parts& p) { p.ak_public[5] ^= 0x02; }, Code::quote_key},
      {"a key that does not sign", [](Parts& p) { p.ak_public[5] ^= 0x04; }, Code::quote_key},
      {"attributes that the TPM never gave it", [](Parts& p) { p.ak_public[7] ^= 0x40; }, Code::quote_key},
      {"another machine's key", [](Parts& p) { p.ak_public = load("tpm/rsa-pss.public"); }, Code::quote_key},
      {"a signature of another quote", [](Parts& p) { p.signature = load("tpm/ecc-tree.signature"); },
       Code::quote_signature},
      {"a signature of another scheme", [](Parts& p) { p.signature = load("tpm/rsa-pss.signature"); },
       Code::quote_signature},
      {"a quote for another session",
       [](Parts& p) {
         p = Parts::of("ecc-tree");
         p.merkle = load("tpm/merkle.bin");
       },
       Code::quote_nonce},
      {"a quote of a few PCRs only", [](Parts& p) { p = Parts::of("partial"); }, Code::quote_selection},
      {"other PCR values", [](Parts& p) { p.pcr_values[9 * 32] ^= 1; }, Code::quote_digest},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Parts bad = good;
    row.lie(bad);
    CHECK(named(verify(bad)) == named(row.code));
  }
}

TEST_CASE("verify: PSS and PKCS#1 are not mistaken for each other") {
  for (const char* name : {"rsa-pss", "rsa-pkcs1"}) {
    Parts parts = Parts::of(name);
    parts.signature[1] = parts.signature[1] == 0x14 ? 0x16 : 0x14;
    CHECK(verify(parts) == Code::quote_signature);
  }
}

TEST_CASE("verify: the selection counts bank and every PCR") {
  Attest quote;
  quote.pcr_algorithm = kAlgSha256;
  quote.pcr_mask = 0xffffff;
  CHECK(check_selection(quote).ok());
  quote.pcr_algorithm = kAlgSha1;
  CHECK(check_selection(quote).code() == Code::quote_selection);
  quote.pcr_algorithm = kAlgSha256;
  for (uint32_t pcr = 0; pcr < 32; ++pcr) {
    quote.pcr_mask = 0xffffff ^ 1u << pcr;
    CHECK(check_selection(quote).code() == Code::quote_selection);
  }
}
