#include "svc/wire/join.h"

#include "tests/svc/wire/replay.h"

using namespace cstl;

namespace {
JoinTicket worker_ticket() {
  JoinTicket m;
  m.disk_key = repeated<32>(1);
  m.measurement_key = repeated<32>(2);
  m.measurement_salt.fill(3);
  m.owner_key.fill(4);
  return m;
}

JoinTicket control_plane_ticket() {
  JoinTicket m = worker_ticket();
  m.master.emplace();
  m.master->key = repeated<32>(5);
  m.master->salt = repeated<32>(6);
  m.reference_values = "{}";
  return m;
}

constexpr size_t kWithMasterAt = 32 * 3 + 65;
}  // namespace

TEST_CASE("node names are RFC 1123 labels in lower case") {
  for (const char* good : {"a", "0", "worker-0", "a--b"}) CHECK(valid_node_name(good));
  CHECK(valid_node_name(std::string(63, 'a')));
  for (const char* bad : {"", "-a", "a-", "A", "a.b", "a_b", "a b", "a\n", "ä"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(valid_node_name(bad));
  }
  CHECK_FALSE(valid_node_name(std::string(64, 'a')));
  CHECK_FALSE(valid_node_name(std::string("a\0b", 3)));
}

TEST_CASE("a join request comes back as it was written, and refuses all else") {
  std::array<uint8_t, 128> space{};
  JoinRequest m;
  m.disk.fill(9);
  m.role = Role::control_plane;
  m.name = "worker-0";
  Result<Bytes> written = m.encode(space);
  REQUIRE(written.ok());
  Result<JoinRequest> back = JoinRequest::decode(*written);
  REQUIRE(back.ok());
  CHECK(back->disk == m.disk);
  CHECK(back->role == Role::control_plane);
  CHECK(back->name.text() == "worker-0");
  auto code = [](Bytes body) { return JoinRequest::decode(body).code(); };
  refuse_cuts(*written, code);

  std::vector<uint8_t> body = written->copy();
  body[16] = 0;
  CHECK(code(body) == Code::bad_value);
  body[16] = 3;
  CHECK(code(body) == Code::bad_value);
  body[16] = 2;
  CHECK(code(body) == Code::ok);
  body[19] = 'W';
  CHECK(code(body) == Code::bad_value);
  body[18] = 64;
  CHECK(code(body) == Code::too_long);
  m.name = "Worker";
  CHECK(m.encode(space).code() == Code::bad_value);
}

TEST_CASE("a worker's ticket carries no master secret, a control plane's does") {
  JoinTicket tickets[] = {worker_ticket(), control_plane_ticket()};
  for (const JoinTicket& m : tickets) {
    Result<SecretBuffer> written = m.encode();
    REQUIRE(written.ok());
    Result<JoinTicket> back = JoinTicket::decode(written->declassify());
    REQUIRE(back.ok());
    CHECK(ct_equal(back->disk_key.declassify(), m.disk_key.declassify()));
    CHECK(ct_equal(back->measurement_key.declassify(), m.measurement_key.declassify()));
    CHECK(back->measurement_salt == m.measurement_salt);
    CHECK(back->owner_key == m.owner_key);
    CHECK(back->master.has_value() == m.master.has_value());
    if (m.master) {
      CHECK(ct_equal(back->master->key.declassify(), m.master->key.declassify()));
      CHECK(ct_equal(back->master->salt.declassify(), m.master->salt.declassify()));
    }
    CHECK(back->reference_values.text() == m.reference_values.text());
    refuse_cuts(written->declassify(), [](Bytes body) { return JoinTicket::decode(body).code(); });
    CHECK(ct_equal(back->encode()->declassify(), written->declassify()));

    JoinTicket moved = std::move(*back);
    CHECK(is_zero(back->disk_key.declassify()));
    CHECK(is_zero(back->measurement_key.declassify()));
    if (m.master) CHECK(is_zero(back->master->key.declassify()));
  }
}

TEST_CASE("master secret and reference values come together or not at all") {
  JoinTicket m = worker_ticket();
  m.reference_values = "{}";
  CHECK(m.encode().code() == Code::bad_value);
  m = control_plane_ticket();
  m.reference_values = Bytes();
  CHECK(m.encode().code() == Code::bad_value);
  std::vector<uint8_t> big(kMaxReferenceValues + 1);
  m.reference_values = big;
  CHECK(m.encode().code() == Code::too_long);

  std::vector<uint8_t> body = worker_ticket().encode()->declassify().copy();
  body.back() = 2;
  body.push_back('{');
  body.push_back('}');
  CHECK(JoinTicket::decode(body).code() == Code::bad_value);
  body = control_plane_ticket().encode()->declassify().copy();
  body.resize(body.size() - 2);
  body.back() = 0;
  CHECK(JoinTicket::decode(body).code() == Code::bad_value);
  body[kWithMasterAt] = 2;
  CHECK(JoinTicket::decode(body).code() == Code::bad_value);
}

TEST_CASE("rejoin request and ticket come back as they were written") {
  std::array<uint8_t, 16> space{};
  RejoinRequest request;
  request.disk.fill(3);
  Result<Bytes> written = request.encode(space);
  REQUIRE(written.ok());
  CHECK(RejoinRequest::decode(*written)->disk == request.disk);
  refuse_cuts(*written, [](Bytes body) { return RejoinRequest::decode(body).code(); });

  RejoinTicket ticket;
  ticket.disk_key = repeated<32>(1);
  ticket.measurement_key = repeated<32>(2);
  Result<SecretBuffer> secret = ticket.encode();
  REQUIRE(secret.ok());
  Result<RejoinTicket> back = RejoinTicket::decode(secret->declassify());
  REQUIRE(back.ok());
  CHECK(ct_equal(back->disk_key.declassify(), ticket.disk_key.declassify()));
  CHECK(ct_equal(back->measurement_key.declassify(), ticket.measurement_key.declassify()));
  refuse_cuts(secret->declassify(), [](Bytes body) { return RejoinTicket::decode(body).code(); });
}
