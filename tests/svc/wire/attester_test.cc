#include "svc/wire/attester.h"

#include "tests/svc/wire/replay.h"

using namespace cstl;

TEST_CASE("an attest request comes back as it was written, and refuses all but whole digests") {
  std::vector<uint8_t> sessions(64);
  for (size_t i = 0; i < sessions.size(); ++i) sessions[i] = static_cast<uint8_t>(i);
  std::vector<uint8_t> space(2 + 32 * kMaxAttestSessions);
  Result<Bytes> written = AttestRequest{sessions}.encode(space);
  REQUIRE(written.ok());
  Result<AttestRequest> back = AttestRequest::decode(*written);
  REQUIRE(back.ok());
  CHECK(back->count() == 2);
  CHECK(back->session(1)[0] == 32);
  refuse_cuts(*written, [](Bytes body) { return AttestRequest::decode(body).code(); });

  struct Row { const char* name; size_t bytes; Code code; };
  const Row rows[] = {{"none", 0, Code::bad_value},       {"a part", 31, Code::bad_value}, {"one", 32, Code::ok},
                      {"one and a part", 33, Code::bad_value}, {"most", 16384, Code::ok},       {"too many", 16416, Code::too_long}};
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    std::vector<uint8_t> body(2 + row.bytes);
    body[0] = static_cast<uint8_t>(row.bytes >> 8);
    body[1] = static_cast<uint8_t>(row.bytes);
    CHECK(AttestRequest::decode(body).code() == row.code);
    CHECK(AttestRequest{Bytes(body).skip(2)}.encode(space).code() == row.code);
  }
}

TEST_CASE("attest info names a variant, and refuses numbers that are none") {
  std::array<uint8_t, 4> space{};
  Result<Bytes> written = AttestInfo{Variant::tpm}.encode(space);
  REQUIRE(written.ok());
  CHECK(AttestInfo::decode(*written)->variant == Variant::tpm);
  refuse_cuts(*written, [](Bytes body) { return AttestInfo::decode(body).code(); });
  for (uint8_t number : {uint8_t{0}, uint8_t{14}, uint8_t{255}}) {
    CHECK(AttestInfo::decode(Bytes(&number, 1)).code() == Code::variant_unknown);
  }
}
