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

TEST_CASE("a start request comes back as it was written") {
  StartRequest m;
  m.name = "containerd";
  m.arguments = {"/usr/bin/containerd", "", "--config", "/run/cstl/etc/a b.toml", ""};
  std::vector<uint8_t> space(kMaxArgumentBytes + 64);
  Result<Bytes> written = m.encode(space);
  REQUIRE(written.ok());
  Result<StartRequest> back = StartRequest::decode(*written);
  REQUIRE(back.ok());
  CHECK(back->name == m.name);
  CHECK(back->arguments == m.arguments);
  refuse_cuts(*written, [](Bytes body) { return StartRequest::decode(body).code(); });
}

TEST_CASE("a start request's name and arguments have limits") {
  std::vector<uint8_t> space(2 * kMaxArgumentBytes);
  const auto encoded = [&](const std::string& name, std::vector<std::string> arguments) {
    StartRequest m;
    m.name = name;
    m.arguments = std::move(arguments);
    return m.encode(space).code();
  };
  CHECK(encoded("kubelet", {"/a"}) == Code::ok);
  for (const char* name : {"", "..", "a/b", "A", "-a", "a-", "a b", "a.b"}) {
    CAPTURE(name);
    CHECK(encoded(name, {"/a"}) == Code::bad_value);
  }
  CHECK(encoded(std::string(32, 'a'), {"/a"}) == Code::ok);
  CHECK(encoded(std::string(33, 'a'), {"/a"}) == Code::bad_value);
  CHECK(encoded("a", {}) == Code::bad_value);
  CHECK(encoded("a", {""}) == Code::bad_value);
  CHECK(encoded("a", {std::string("/a\0b", 4)}) == Code::bad_value);
  CHECK(encoded("a", std::vector<std::string>(64, "x")) == Code::ok);
  CHECK(encoded("a", std::vector<std::string>(65, "x")) == Code::bad_value);
  CHECK(encoded("a", {"/a", std::string(kMaxArgumentBytes - 3, 'x')}) == Code::ok);
  CHECK(encoded("a", {"/a", std::string(kMaxArgumentBytes - 2, 'x')}) == Code::bad_value);

  const auto decoded = [](const std::string& name, const std::string& arguments) {
    std::vector<uint8_t> body(name.size() + arguments.size() + 6);
    Writer w(body);
    w.bytes16(name);
    w.bytes32(arguments);
    return StartRequest::decode(*w.finish()).code();
  };
  CHECK(decoded("a", std::string(63, '\0')) == Code::ok);
  CHECK(decoded("a", std::string(64, '\0')) == Code::too_long);
  CHECK(decoded("../a", "/a") == Code::bad_value);
  CHECK(decoded("a", "") == Code::bad_value);
}
