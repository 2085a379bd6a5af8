#include "svc/wire/init.h"

#include "tests/svc/wire/replay.h"

using namespace cstl;

namespace {
struct Sample {
  SigningKey owner = std::move(*SigningKey::generate());
  Secret<32> exporter = repeated<32>(7);
  InitRequest fields;
  std::string json = R"({"cstl":"reference-values/1"})";
  std::string cluster = R"({"cstl":"cluster/1"})";
  SecretBuffer body{0};

  Sample() {
    fields.init_secret = repeated<32>(1);
    fields.master.key = repeated<32>(2);
    fields.master.salt = repeated<32>(3);
    fields.measurement_salt.fill(4);
    fields.reference_values = json;
    fields.cluster = cluster;
    Result<SecretBuffer> encoded = InitRequest::encode(fields, owner, exporter);
    REQUIRE(encoded.ok());
    body = std::move(*encoded);
  }
};
}  // namespace

TEST_CASE("an init request comes back as it was written, signed by its owner") {
  Sample sample;
  Result<InitRequest> m = InitRequest::decode(sample.body.declassify());
  REQUIRE(m.ok());
  CHECK(ct_equal(m->init_secret.declassify(), sample.fields.init_secret.declassify()));
  CHECK(ct_equal(m->master.key.declassify(), sample.fields.master.key.declassify()));
  CHECK(ct_equal(m->master.salt.declassify(), sample.fields.master.salt.declassify()));
  CHECK(m->measurement_salt == sample.fields.measurement_salt);
  CHECK(m->owner_key == sample.owner.point());
  CHECK(m->reference_values.text() == sample.json);
  CHECK(m->cluster.text() == sample.cluster);
  CHECK(InitRequest::verify_owner(sample.body.declassify(), sample.exporter).ok());
}

TEST_CASE("an init request that is cut or goes on is refused") {
  Sample sample;
  refuse_cuts(sample.body.declassify(), [](Bytes body) { return InitRequest::decode(body).code(); });
}

TEST_CASE("an init request with any bit flipped does not carry the owner's signature") {
  Sample sample;
  MutBytes body = sample.body.space();
  for (size_t bit = 0; bit < body.size() * 8; bit += 5) {
    body.data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CAPTURE(bit);
    CHECK(InitRequest::verify_owner(body, sample.exporter).code() == Code::owner_signature);
    body.data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
  CHECK(InitRequest::verify_owner(body, sample.exporter).ok());
  CHECK(InitRequest::verify_owner(Bytes(body).first(40), sample.exporter).code() == Code::owner_signature);
  CHECK(InitRequest::verify_owner(Bytes(), sample.exporter).code() == Code::owner_signature);
}

TEST_CASE("an init request that was signed for another session is refused") {
  Sample sample;
  for (size_t bit = 0; bit < 256; bit += 11) {
    Secret<32> other = sample.exporter.clone();
    other.fill().data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CHECK(InitRequest::verify_owner(sample.body.declassify(), other).code() == Code::owner_signature);
  }
}

TEST_CASE("reference values beyond their limit are neither written nor read") {
  Sample sample;
  std::vector<uint8_t> big(kMaxReferenceValues + 1, 'x');
  sample.fields.reference_values = big;
  CHECK(InitRequest::encode(sample.fields, sample.owner, sample.exporter).code() == Code::too_long);
  sample.fields.reference_values = Bytes(big).first(kMaxReferenceValues);
  CHECK(InitRequest::encode(sample.fields, sample.owner, sample.exporter).ok());
  std::vector<uint8_t> body = sample.body.declassify().copy();
  size_t length_at = 32 * 4 + 65;
  body[length_at + 1] = 2;
  body[length_at + 3] = 1;
  CHECK(InitRequest::decode(body).code() == Code::too_long);
}

TEST_CASE("a cluster configuration may be absent, and has its limit") {
  Sample sample;
  sample.fields.cluster = Bytes();
  Result<SecretBuffer> without = InitRequest::encode(sample.fields, sample.owner, sample.exporter);
  REQUIRE(without.ok());
  CHECK(InitRequest::decode(without->declassify())->cluster.empty());
  std::vector<uint8_t> big(kMaxCluster + 1, 'x');
  sample.fields.cluster = big;
  CHECK(InitRequest::encode(sample.fields, sample.owner, sample.exporter).code() == Code::too_long);
  sample.fields.cluster = Bytes(big).first(kMaxCluster);
  CHECK(InitRequest::encode(sample.fields, sample.owner, sample.exporter).ok());
}

TEST_CASE("moving an init request wipes where it came from") {
  Sample sample;
  Result<InitRequest> first = InitRequest::decode(sample.body.declassify());
  REQUIRE(first.ok());
  InitRequest second = std::move(*first);
  CHECK(is_zero(first->init_secret.declassify()));
  CHECK(is_zero(first->master.key.declassify()));
  CHECK(is_zero(first->master.salt.declassify()));
  CHECK(ct_equal(second.master.key.declassify(), sample.fields.master.key.declassify()));
}

// The value comes from Python's hashlib: label, exporter 07…07 and the hash of "fields".
TEST_CASE("the digest that an owner signs is the documented one") {
  CHECK(to_hex(*owner_digest("cstl-init-1", repeated<32>(7), "fields")) ==
        "3a9136552042d55f55473022ea8403598d80fdb9213fc6b3fc41b26d5473c6e5");
}

TEST_CASE("progress and response come back as they were written, within their limits") {
  std::array<uint8_t, 512> space{};
  InitProgress progress;
  progress.text = "formatting";
  Result<Bytes> written = progress.encode(space);
  REQUIRE(written.ok());
  CHECK(InitProgress::decode(*written)->text.text() == "formatting");
  refuse_cuts(*written, [](Bytes body) { return InitProgress::decode(body).code(); });
  std::string big(257, 'x');
  progress.text = big;
  CHECK(progress.encode(space).code() == Code::too_long);
  progress.text = Bytes(big).first(256);
  CHECK(progress.encode(space).ok());
  std::vector<uint8_t> body = {1, 1};
  body.resize(2 + 257);
  CHECK(InitProgress::decode(body).code() == Code::too_long);

  InitResponse response;
  response.cluster_id.fill(9);
  response.disk.fill(8);
  std::string kubeconfig = "apiVersion: v1";
  for (const std::string& text : {std::string(), kubeconfig}) {
    response.kubeconfig = text;
    Result<SecretBuffer> encoded = response.encode();
    REQUIRE(encoded.ok());
    CHECK(InitResponse::decode(encoded->declassify())->cluster_id == response.cluster_id);
    CHECK(InitResponse::decode(encoded->declassify())->disk == response.disk);
    CHECK(InitResponse::decode(encoded->declassify())->kubeconfig.text() == text);
    refuse_cuts(encoded->declassify(), [](Bytes rest) { return InitResponse::decode(rest).code(); });
  }
  std::vector<uint8_t> large(kMaxKubeconfig + 1, 'x');
  response.kubeconfig = large;
  CHECK(response.encode().code() == Code::too_long);
}
