#include "svc/wire/monitor.h"

#include "tests/svc/wire/replay.h"

using namespace cstl;

TEST_CASE("a rekey request comes back as it was written") {
  RekeyRequest m;
  m.disk_key = repeated<32>(7);
  m.owner_key.fill(4);
  Result<SecretBuffer> written = m.encode();
  REQUIRE(written.ok());
  Result<RekeyRequest> back = RekeyRequest::decode(written->declassify());
  REQUIRE(back.ok());
  CHECK(ct_equal(back->disk_key.declassify(), m.disk_key.declassify()));
  CHECK(back->owner_key == m.owner_key);
  refuse_cuts(written->declassify(), [](Bytes body) { return RekeyRequest::decode(body).code(); });
}

TEST_CASE("only off and reboot are power actions") {
  std::array<uint8_t, 1> space{};
  for (int number = 0; number < 256; ++number) {
    std::array<uint8_t, 1> body{static_cast<uint8_t>(number)};
    Result<PowerRequest> m = PowerRequest::decode(body);
    CHECK(m.code() == (number == 1 || number == 2 ? Code::ok : Code::bad_value));
    if (m.ok()) CHECK((*m->encode(space))[0] == number);
  }
  const uint8_t off[] = {1};
  refuse_cuts(Bytes(off, 1), [](Bytes body) { return PowerRequest::decode(body).code(); });
}
