#include "svc/wire/key.h"

#include "tests/svc/wire/replay.h"

using namespace cstl;

TEST_CASE("a key request comes back as it was written, and refuses all else") {
  std::array<uint8_t, 128> space{};
  KeyRequest m;
  m.key_class = KeyClass::object;
  m.id = "backups";
  Result<Bytes> written = m.encode(space);
  REQUIRE(written.ok());
  Result<KeyRequest> back = KeyRequest::decode(*written);
  REQUIRE(back.ok());
  CHECK(back->key_class == KeyClass::object);
  CHECK(back->id.text() == "backups");
  auto code = [](Bytes body) { return KeyRequest::decode(body).code(); };
  refuse_cuts(*written, code);

  std::vector<uint8_t> body = written->copy();
  for (int number : {0, 7, 255}) {
    body[0] = static_cast<uint8_t>(number);
    CHECK(code(body) == Code::bad_key_class);
  }
  body[0] = 1;
  body[2] = 65;
  CHECK(code(body) == Code::too_long);
  std::string big(65, 'a');
  m.id = big;
  CHECK(m.encode(space).code() == Code::too_long);
}

TEST_CASE("a key response comes back as it was written, and wipes where it came from") {
  KeyResponse m;
  m.key = repeated<32>(7);
  Result<SecretBuffer> written = m.encode();
  REQUIRE(written.ok());
  refuse_cuts(written->declassify(), [](Bytes body) { return KeyResponse::decode(body).code(); });
  Result<KeyResponse> back = KeyResponse::decode(written->declassify());
  REQUIRE(back.ok());
  KeyResponse moved = std::move(*back);
  CHECK(is_zero(back->key.declassify()));
  CHECK(ct_equal(moved.key.declassify(), m.key.declassify()));
}
