// The machine's TPM for real: issuing against verifying, and both against tpm2-tools.
#include "attest/tpm/issue.h"

#include <doctest/doctest.h>

#include "attest/merkle.h"
#include "attest/reference/appraise.h"
#include "attest/tpm/credential.h"
#include "attest/tpm/verify.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"
#include "tests/attest/atls/rig.h"

namespace cstl {
namespace {

using test::Rig;
using test::Swtpm;

std::vector<uint8_t> file(const std::string& path) {
  auto bytes = read_file(path.c_str(), 65536);
  REQUIRE(bytes.ok());
  return *bytes;
}

void put(const std::string& path, Bytes bytes) { REQUIRE(write_file_durably(path.c_str(), bytes).ok()); }

TEST_CASE("a missing TPM is named as such") {
  CHECK(tpm::Device::open("/dev/no-such-tpm").code() == Code::tpm_missing);
  CHECK(tpm::Device::open("swtpm:path=/tmp/no-such-socket").code() == Code::tpm_missing);
}

TEST_CASE("issued evidence passes appraisal for its binding only") {
  Rig& rig = Rig::get();
  const std::vector<Digest32> bindings{{1}, {2}, {3}, {4}, {5}};
  const uint64_t before = rig.issuer->quotes();
  auto evidence = rig.issuer->sign(bindings);
  REQUIRE(evidence.ok());
  REQUIRE(evidence->size() == bindings.size());
  CHECK(rig.issuer->quotes() - before == 1);
  for (size_t i = 0; i < bindings.size(); ++i) {
    Verdict verdict = appraise((*evidence)[i], bindings[i], rig.policy);
    CHECK(verdict.code == Code::ok);
    CHECK(verdict.roles == 1 << static_cast<unsigned>(Role::worker));
    CHECK(appraise((*evidence)[i], bindings[(i + 1) % 5], rig.policy).code == Code::quote_nonce);
  }
  CHECK(rig.issuer->sign({}).code() == Code::merkle_path);
}

TEST_CASE("the endorsement chains to the TPM's own authority and to no other") {
  Rig& rig = Rig::get();
  const Digest32 binding{7};
  auto evidence = rig.issuer->sign({binding});
  REQUIRE(evidence.ok());
  Verdict verdict = appraise(evidence->front(), binding, rig.endorsed_policy);
  CHECK(verdict.code == Code::ok);
  CHECK(verdict.endorsed);
  // The platform is its EK, whatever the AK.
  auto parsed = Evidence::decode(evidence->front());
  REQUIRE(parsed.ok());
  CHECK(verdict.identity == *certificate_spki_hash(parsed->ek_certificate));
  CHECK(equal(parsed->ek_chain.skip(2), Swtpm::shared().issuer()));

  const std::vector<uint8_t> other = Swtpm::second().root();
  ReferenceValues values = rig.endorsed;
  values.sets[0].ek_roots = {other};
  AppraisalPolicy policy = rig.endorsed_policy;
  policy.values = &values;
  CHECK(appraise(evidence->front(), binding, policy).code == Code::ek_chain);
}

TEST_CASE("the AK is the same key whenever it is made") {
  Rig& rig = Rig::get();
  auto again = tpm::Issuer::create(*rig.device, tpm::IssueConfig{Variant::tpm, ""});
  REQUIRE(again.ok());
  auto a = rig.issuer->sign({Digest32{}}), b = (*again)->sign({Digest32{}});
  REQUIRE((a.ok() && b.ok()));
  CHECK(equal(Evidence::decode(a->front())->ak_public, Evidence::decode(b->front())->ak_public));
  CHECK(Evidence::decode(b->front())->variant == Variant::tpm);
}

TEST_CASE("issuers come and go without using up the TPM's slots") {
  Rig& rig = Rig::get();
  for (int i = 0; i < 10; ++i) CHECK(tpm::Issuer::create(*rig.device, tpm::IssueConfig{Variant::qemu_vtpm, ""}).ok());
}

TEST_CASE("an event log that does not exist is an error, not an empty log") {
  Rig& rig = Rig::get();
  CHECK(tpm::Issuer::create(*rig.device, tpm::IssueConfig{Variant::qemu_vtpm, "/no/such/log"}).code() == Code::not_found);
}

TEST_CASE("a credential opens for this EK and this AK only") {
  Rig& rig = Rig::get();
  auto evidence = rig.issuer->sign({Digest32{}});
  REQUIRE(evidence.ok());
  auto parsed = Evidence::decode(evidence->front());
  REQUIRE(parsed.ok());
  auto ek = certificate_key(parsed->ek_certificate);
  auto name = tpm::name_of(parsed->ak_public);
  REQUIRE((ek.ok() && name.ok()));
  const Digest32 challenge{1, 2, 3, 4};
  auto credential = tpm::make_credential(*ek, *name, challenge);
  REQUIRE(credential.ok());
  auto secret = rig.issuer->activate(*credential);
  REQUIRE(secret.ok());
  CHECK(equal(*secret, challenge));

  auto other_name = *name;
  other_name[33] ^= 1;
  CHECK(rig.issuer->activate(*tpm::make_credential(*ek, other_name, challenge)).code() == Code::activation_failed);
  auto device = tpm::Device::open(Swtpm::second().device());
  REQUIRE(device.ok());
  auto issuer = tpm::Issuer::create(**device, tpm::IssueConfig{Variant::qemu_vtpm, ""});
  REQUIRE(issuer.ok());
  CHECK((*issuer)->activate(*credential).code() == Code::activation_failed);
  for (size_t cut = 0; cut < credential->size(); cut += 13) {
    CHECK(rig.issuer->activate(Bytes(*credential).first(cut)).code() == Code::activation_failed);
  }
  for (size_t flip = 0; flip < credential->size(); flip += 29) {
    std::vector<uint8_t> bad = *credential;
    bad[flip] ^= 1;
    CHECK(rig.issuer->activate(bad).code() == Code::activation_failed);
  }
  credential->push_back(0);
  CHECK(rig.issuer->activate(*credential).code() == Code::activation_failed);
  // None of that used up a slot or locked the TPM out.
  CHECK(rig.issuer->activate(*tpm::make_credential(*ek, *name, challenge)).ok());
}

TEST_CASE("PCR 15 becomes the cluster by an event") {
  auto device = tpm::Device::open(Swtpm::second().device());
  REQUIRE(device.ok());
  auto before = (*device)->read_pcrs();
  REQUIRE(before.ok());
  CHECK((*before)[15] == Digest32{});
  const Digest32 cluster_id{9, 9, 9};
  CHECK((*device)->pcr_event(15, cluster_id).ok());
  auto after = (*device)->read_pcrs();
  REQUIRE(after.ok());
  CHECK((*after)[15] == *cluster_pcr(cluster_id));
  CHECK((*device)->pcr_event(24, cluster_id).code() == Code::tpm_failed);
  CHECK((*device)->pcr_event(15, std::string(1025, 'x')).code() == Code::tpm_failed);
}

TEST_CASE("our quote passes tpm2_checkquote, with our nonce only") {
  Rig& rig = Rig::get();
  const std::string dir = Swtpm::shared().folder() + "/";
  const Digest32 binding{0xab};
  auto evidence = rig.issuer->sign({binding});
  REQUIRE(evidence.ok());
  auto parsed = Evidence::decode(evidence->front());
  REQUIRE(parsed.ok());
  std::vector<uint8_t> ak{static_cast<uint8_t>(parsed->ak_public.size() >> 8), static_cast<uint8_t>(parsed->ak_public.size())};
  ak.insert(ak.end(), parsed->ak_public.begin(), parsed->ak_public.end());
  put(dir + "our.ak", ak);
  put(dir + "our.quote", parsed->quote);
  put(dir + "our.sig", parsed->signature);
  const std::string nonce = to_hex(*quote_qualifier(*merkle_root({binding})));
  CHECK(test::run({"tpm2_checkquote", "-u", dir + "our.ak", "-m", dir + "our.quote", "-s", dir + "our.sig", "-g", "sha256",
                   "-q", nonce}, dir + "log"));
  CHECK_FALSE(test::run({"tpm2_checkquote", "-u", dir + "our.ak", "-m", dir + "our.quote", "-s", dir + "our.sig", "-g",
                         "sha256", "-q", std::string(64, '0')}, dir + "log"));
}

TEST_CASE("evidence around a quote of tpm2_quote passes our verifier, for every scheme") {
  Rig& rig = Rig::get();
  // On the TPM that holds no AK of ours: without a resource manager, tpm2_flushcontext would throw that out too.
  const std::string dir = Swtpm::second().folder() + "/", device = Swtpm::second().device();
  const std::string attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda";
  const Digest32 binding{0xcd};
  const std::string nonce = to_hex(*quote_qualifier(*merkle_root({binding})));
  auto second = tpm::Device::open(device);
  REQUIRE(second.ok());
  auto pcrs = (*second)->read_pcrs();
  REQUIRE(pcrs.ok());
  std::vector<uint8_t> values;
  for (const Digest32& value : *pcrs) values.insert(values.end(), value.begin(), value.end());
  auto proof = merkle_proof({binding}, 0);
  REQUIRE(proof.ok());
  for (const std::string scheme : {"ecdsa", "rsassa", "rsapss"}) {
    CAPTURE(scheme);
    const std::string algorithm = (scheme == "ecdsa" ? "ecc256:" : "rsa2048:") + scheme + "-sha256:null", log = dir + "log";
    REQUIRE(test::run({"tpm2_createprimary", "-T", device, "-C", "e", "-G", algorithm, "-a", attributes, "-c", dir + "ak.ctx"}, log));
    REQUIRE(test::run({"tpm2_flushcontext", "-T", device, "-t"}, log));
    REQUIRE(test::run({"tpm2_readpublic", "-T", device, "-c", dir + "ak.ctx", "-f", "tss", "-o", dir + "ak.pub"}, log));
    REQUIRE(test::run({"tpm2_flushcontext", "-T", device, "-t"}, log));
    REQUIRE(test::run({"tpm2_quote", "-T", device, "-c", dir + "ak.ctx", "-l", "sha256:all", "-q", nonce, "-g", "sha256",
                       "--scheme", scheme, "-m", dir + "quote", "-s", dir + "sig"}, log));
    REQUIRE(test::run({"tpm2_flushcontext", "-T", device, "-t"}, log));
    const std::vector<uint8_t> quote = file(dir + "quote"), signature = file(dir + "sig"), ak = file(dir + "ak.pub");
    Evidence evidence;
    evidence.quote = quote;
    evidence.signature = signature;
    evidence.ak_public = Bytes(ak).skip(2);
    evidence.pcr_values = values;
    evidence.merkle = *proof;
    std::vector<uint8_t> space(8192);
    auto encoded = evidence.encode(space);
    REQUIRE(encoded.ok());
    const Verdict verdict = appraise(*encoded, binding, rig.policy);
    CAPTURE(verdict.to_text());
    CHECK(verdict.code == Code::ok);
    CHECK(appraise(*encoded, Digest32{}, rig.policy).code == Code::quote_nonce);
  }
}

}  // namespace
}  // namespace cstl
