#include "crypto/tls.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

using namespace cstl;

namespace {
struct Pair {
  std::unique_ptr<TlsSession> client;
  std::unique_ptr<TlsSession> server;
};

Pair connect(const TlsIdentity& client, const TlsIdentity& server) {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  Result<std::unique_ptr<TlsSession>> a = TlsSession::create(TlsSide::client, Fd(ends[0]), client);
  Result<std::unique_ptr<TlsSession>> b = TlsSession::create(TlsSide::server, Fd(ends[1]), server);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  return {std::move(*a), std::move(*b)};
}

// Both ends in turn until both are done; the first error, if any.
Status shake(Pair& pair) {
  for (int turn = 0; turn < 50; ++turn) {
    TRY_LET(TlsWant client, pair.client->handshake());
    TRY_LET(TlsWant server, pair.server->handshake());
    if (client == TlsWant::nothing && server == TlsWant::nothing) return success();
  }
  return fail(Code::timeout, "test.shake");
}

std::unique_ptr<TlsIdentity> identity() {
  Result<std::unique_ptr<TlsIdentity>> made = TlsIdentity::create();
  REQUIRE(made.ok());
  return std::move(*made);
}

Code read_one(TlsSession& session) {
  std::array<uint8_t, 16> buffer{};
  return session.read(buffer).code();
}
}  // namespace

TEST_CASE("both ends see each other's key and share an exporter that is new in every session") {
  auto a = identity();
  auto b = identity();
  Pair first = connect(*a, *b);
  Pair second = connect(*a, *b);
  REQUIRE(shake(first).ok());
  REQUIRE(shake(second).ok());
  CHECK(*first.client->peer_spki_hash() == b->spki_hash());
  CHECK(*first.server->peer_spki_hash() == a->spki_hash());
  CHECK(first.client->own_spki_hash() == a->spki_hash());
  CHECK(a->spki_hash() != b->spki_hash());
  Result<Secret<32>> exporter = first.client->exporter();
  REQUIRE(exporter.ok());
  CHECK(ct_equal(exporter->declassify(), first.server->exporter()->declassify()));
  CHECK_FALSE(ct_equal(exporter->declassify(), second.server->exporter()->declassify()));
  CHECK_FALSE(ct_equal(exporter->declassify(), Digest32{}));
}

TEST_CASE("nothing can be read, written or exported before the handshake is done") {
  auto a = identity();
  Pair pair = connect(*a, *a);
  std::array<uint8_t, 4> buffer{};
  CHECK(pair.client->read(buffer).code() == Code::tls_failed);
  CHECK(pair.client->write("x").code() == Code::tls_failed);
  CHECK(pair.client->exporter().code() == Code::tls_failed);
  CHECK(pair.client->peer_spki_hash().code() == Code::tls_failed);
  REQUIRE(shake(pair).ok());
  CHECK(pair.client->write("x").ok());
}

TEST_CASE("a megabyte crosses each way through a full socket") {
  auto a = identity();
  Pair pair = connect(*a, *a);
  REQUIRE(shake(pair).ok());
  std::vector<uint8_t> data(1 << 20);
  REQUIRE(random_bytes(data).ok());
  TlsSession* ends[] = {pair.client.get(), pair.server.get()};
  for (int way = 0; way < 2; ++way) {
    std::vector<uint8_t> seen;
    Bytes left = data;
    bool blocked = false;
    std::array<uint8_t, 20000> buffer{};
    while (seen.size() < data.size()) {
      while (!left.empty()) {
        Result<TlsSession::Transfer> sent = ends[way]->write(left);
        REQUIRE(sent.ok());
        if (sent->want != TlsWant::nothing) {
          CHECK(sent->bytes == 0);
          blocked = true;
          break;
        }
        left = left.skip(sent->bytes);
      }
      for (;;) {
        Result<TlsSession::Transfer> got = ends[1 - way]->read(buffer);
        REQUIRE(got.ok());
        if (got->want != TlsWant::nothing) break;
        seen.insert(seen.end(), buffer.begin(), buffer.begin() + got->bytes);
      }
    }
    CHECK(seen == data);
    CHECK(blocked);
  }
}

TEST_CASE("input that poll() cannot see is announced") {
  auto a = identity();
  Pair pair = connect(*a, *a);
  REQUIRE(shake(pair).ok());
  CHECK_FALSE(pair.server->has_buffered_input());
  CHECK(pair.client->write("abcdef").ok());
  std::array<uint8_t, 2> two{};
  Result<TlsSession::Transfer> got = pair.server->read(two);
  REQUIRE(got.ok());
  CHECK(got->bytes == 2);
  CHECK(pair.server->has_buffered_input());
}

TEST_CASE("a peer that closes, vanishes or is cut off ends the session as closed") {
  auto a = identity();
  Pair polite = connect(*a, *a);
  REQUIRE(shake(polite).ok());
  polite.client->close();
  CHECK(read_one(*polite.server) == Code::closed);
  CHECK(read_one(*polite.server) == Code::closed);
  CHECK(read_one(*polite.client) == Code::closed);

  Pair gone = connect(*a, *a);
  REQUIRE(shake(gone).ok());
  gone.client.reset();
  CHECK(read_one(*gone.server) == Code::closed);

  Pair writing = connect(*a, *a);
  REQUIRE(shake(writing).ok());
  writing.client.reset();
  CHECK(writing.server->write("x").code() == Code::closed);  // and no SIGPIPE

  for (int steps = 0; steps < 3; ++steps) {
    Pair early = connect(*a, *a);
    for (int i = 0; i < steps; ++i) {
      (void)early.client->handshake();
      if (i + 1 < steps) (void)early.server->handshake();
    }
    early.client.reset();
    Result<TlsWant> end = early.server->handshake();
    CAPTURE(steps);
    if (steps < 2) CHECK(end.code() == Code::closed);
  }
}

TEST_CASE("a server that hears noise or half a handshake fails or waits, and stays failed") {
  auto a = identity();
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  Fd noise(ends[0]);
  auto server = TlsSession::create(TlsSide::server, Fd(ends[1]), *a);
  REQUIRE(server.ok());
  CHECK(*(*server)->handshake() == TlsWant::read);
  CHECK(write_all(noise.get(), "GET / HTTP/1.1\r\n\r\n").ok());
  CHECK((*server)->handshake().code() == Code::tls_failed);
  CHECK((*server)->handshake().code() == Code::tls_failed);
  CHECK(read_one(**server) == Code::tls_failed);
}

TEST_CASE("a server never finishes a handshake whose first flight was changed on the way") {
  auto a = identity();
  for (size_t at : {0, 1, 5, 6, 11, 40, 44, 76, 90, 120, 150}) {
    int front[2];
    int back[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, front) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, back) == 0);
    auto client = TlsSession::create(TlsSide::client, Fd(front[0]), *a);
    auto server = TlsSession::create(TlsSide::server, Fd(back[0]), *a);
    Fd near(front[1]);
    Fd far(back[1]);
    REQUIRE(client.ok());
    REQUIRE(server.ok());
    bool client_failed = false;
    bool server_failed = false;
    bool first = true;
    for (int turn = 0; turn < 20 && !client_failed && !server_failed; ++turn) {
      client_failed = !(*client)->handshake().ok();
      uint8_t buffer[8192];
      ssize_t n = recv(near.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (n > 0 && first) buffer[at] ^= 0x20;
      if (n > 0) first = false;
      if (n > 0) CHECK(write_all(far.get(), Bytes(buffer, n)).ok());
      server_failed = !(*server)->handshake().ok();
      n = recv(far.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (n > 0) CHECK(write_all(near.get(), Bytes(buffer, n)).ok());
    }
    CAPTURE(at);
    Result<TlsWant> end = (*server)->handshake();
    CHECK((client_failed || !end.ok() || *end != TlsWant::nothing));
  }
}

TEST_CASE("an identity comes back from its DER, and only as a pair") {
  auto a = identity();
  auto b = identity();
  Result<SecretBuffer> key = a->private_key_der();
  REQUIRE(key.ok());
  auto copy = TlsIdentity::from_der(key->declassify(), a->certificate_der());
  REQUIRE(copy.ok());
  CHECK((*copy)->spki_hash() == a->spki_hash());
  Pair pair = connect(**copy, *b);
  CHECK(shake(pair).ok());
  CHECK(TlsIdentity::from_der(key->declassify(), b->certificate_der()).code() == Code::bad_key);
  CHECK(TlsIdentity::from_der("nonsense", a->certificate_der()).code() == Code::bad_key);
  CHECK(TlsIdentity::from_der(key->declassify(), "nonsense").code() == Code::bad_certificate);
}
