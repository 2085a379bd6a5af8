#include "svc/wire/recover.h"

#include "tests/svc/wire/replay.h"

using namespace cstl;

namespace {
struct Sample {
  SigningKey owner = std::move(*SigningKey::generate());
  Secret<32> exporter = repeated<32>(7);
  SecretBuffer body{0};

  Sample() {
    RecoverRequest fields;
    fields.disk_key = repeated<32>(1);
    fields.measurement_key = repeated<32>(2);
    Result<SecretBuffer> encoded = RecoverRequest::encode(fields, owner, exporter);
    REQUIRE(encoded.ok());
    body = std::move(*encoded);
  }
};
}  // namespace

TEST_CASE("a recover request comes back as it was written, and refuses cuts") {
  Sample sample;
  Result<RecoverRequest> back = RecoverRequest::decode(sample.body.declassify());
  REQUIRE(back.ok());
  CHECK(ct_equal(back->disk_key.declassify(), repeated<32>(1).declassify()));
  CHECK(ct_equal(back->measurement_key.declassify(), repeated<32>(2).declassify()));
  refuse_cuts(sample.body.declassify(), [](Bytes body) { return RecoverRequest::decode(body).code(); });
  RecoverRequest moved = std::move(*back);
  CHECK(is_zero(back->disk_key.declassify()));
}

TEST_CASE("only the owner's key, over this session and these bytes, opens a disk") {
  Sample sample;
  const P256Point& owner = sample.owner.point();
  MutBytes body = sample.body.space();
  CHECK(RecoverRequest::verify_owner(body, owner, sample.exporter).ok());
  for (size_t bit = 0; bit < body.size() * 8; bit += 3) {
    body.data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CAPTURE(bit);
    CHECK(RecoverRequest::verify_owner(body, owner, sample.exporter).code() == Code::owner_signature);
    body.data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
  Secret<32> other_session = repeated<32>(8);
  CHECK(RecoverRequest::verify_owner(body, owner, other_session).code() == Code::owner_signature);
  CHECK(RecoverRequest::verify_owner(body, SigningKey::generate()->point(), sample.exporter).code() ==
        Code::owner_signature);
  CHECK(RecoverRequest::verify_owner(body, P256Point{}, sample.exporter).code() == Code::owner_signature);
  CHECK(RecoverRequest::verify_owner(Bytes(body).first(127), owner, sample.exporter).code() == Code::owner_signature);
}

TEST_CASE("a signature of an init request does not count for a recovery") {
  Sample sample;
  std::vector<uint8_t> body = sample.body.declassify().copy();
  Result<Digest32> digest = owner_digest("cstl-init-1", sample.exporter, Bytes(body).first(64));
  REQUIRE(digest.ok());
  Result<P256Signature> signature = sample.owner.sign(*digest);
  REQUIRE(signature.ok());
  std::copy(signature->begin(), signature->end(), body.begin() + 64);
  CHECK(RecoverRequest::verify_owner(body, sample.owner.point(), sample.exporter).code() == Code::owner_signature);
}

TEST_CASE("recover info comes back as it was written") {
  std::array<uint8_t, 16> space{};
  RecoverInfo info;
  info.disk.fill(5);
  Result<Bytes> written = info.encode(space);
  REQUIRE(written.ok());
  CHECK(RecoverInfo::decode(*written)->disk == info.disk);
  refuse_cuts(*written, [](Bytes body) { return RecoverInfo::decode(body).code(); });
}
