#include "svc/wire/verify.h"

#include "tests/svc/wire/replay.h"

using namespace cstl;

TEST_CASE("a verify response comes back as it was written, and refuses all else") {
  std::array<uint8_t, 256> space{};
  VerifyResponse m;
  m.cluster_id.fill(1);
  m.role = Role::control_plane;
  m.name = "control-0";
  m.version = "1.2.3";
  Result<Bytes> written = m.encode(space);
  REQUIRE(written.ok());
  Result<VerifyResponse> back = VerifyResponse::decode(*written);
  REQUIRE(back.ok());
  CHECK(back->cluster_id == m.cluster_id);
  CHECK(back->role == m.role);
  CHECK(back->name.text() == "control-0");
  CHECK(back->version.text() == "1.2.3");
  auto code = [](Bytes body) { return VerifyResponse::decode(body).code(); };
  refuse_cuts(*written, code);

  std::vector<uint8_t> body = written->copy();
  body[32] = 0;
  CHECK(code(body) == Code::bad_value);
  body[32] = 2;
  body[34] = 64;
  CHECK(code(body) == Code::too_long);

  std::string big(64, 'x');
  m.name = big;
  CHECK(m.encode(space).code() == Code::too_long);
  m.name = "a";
  m.version = Bytes(big).first(33);
  CHECK(m.encode(space).code() == Code::too_long);
}
