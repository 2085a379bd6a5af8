// What honest peers see: phases, verdicts, requests, batching.
#include "attest/atls/session.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attest/atls/rig.h"

namespace cstl {
namespace {

using test::pump;
using test::Rig;

struct Pair {
  std::unique_ptr<Session> client, server;
  Pair(const SessionConfig& c, const SessionConfig& s) {
    auto [a, b] = test::socket_pair();
    auto made_client = Session::create(std::move(a), c);
    auto made_server = Session::create(std::move(b), s);
    REQUIRE(made_client.ok());
    REQUIRE(made_server.ok());
    client = std::move(*made_client);
    server = std::move(*made_server);
  }
  bool open(QuoteBatch* batch) {
    return pump({client.get(), server.get()}, batch, [&] { return client->open() && server->open(); });
  }
  bool closed(QuoteBatch* batch) {
    return pump({client.get(), server.get()}, batch, [&] {
      return client->state() == Session::State::closed && server->state() == Session::State::closed;
    });
  }
};

TEST_CASE("sessions open for every combination of demands") {
  Rig& rig = Rig::get();
  struct Row {
    const char* name;
    bool client_demands, server_demands, endorsed;
  };
  for (const Row& row : {Row{"nobody demands", false, false, false}, Row{"the client demands", true, false, false},
                         Row{"the server demands", false, true, false}, Row{"both demand", true, true, false},
                         Row{"the client demands an endorsement", true, false, true},
                         Row{"both demand endorsements", true, true, true}}) {
    CAPTURE(std::string(row.name));
    QuoteBatch batch(*rig.issuer);
    const AppraisalPolicy* policy = row.endorsed ? &rig.endorsed_policy : &rig.policy;
    Pair p(rig.config(TlsSide::client, row.client_demands ? policy : nullptr, &batch),
           rig.config(TlsSide::server, row.server_demands ? policy : nullptr, &batch));
    CHECK(p.open(&batch));
    CHECK(ct_equal(p.client->exporter().declassify(), p.server->exporter().declassify()));
    CHECK((p.client->peer_verdict() != nullptr) == row.client_demands);
    CHECK((p.server->peer_verdict() != nullptr) == row.server_demands);
    if (row.client_demands) {
      CHECK(p.client->peer_verdict()->passed());
      CHECK(p.client->peer_verdict()->endorsed == row.endorsed);
      CHECK(p.client->peer_verdict()->claims.back().name == (row.endorsed ? "ak.activation" : "cluster"));
    }
    CHECK_FALSE(p.client->waits_for_quote());

    CHECK(p.client->send(FrameType::join_request, "hello").ok());
    std::optional<Frame> got;
    CHECK(pump({p.client.get(), p.server.get()}, &batch, [&] {
      auto frame = p.server->receive();
      if (frame.ok() && *frame) got = std::move(*frame);
      return got.has_value();
    }));
    CHECK(got->type == FrameType::join_request);
    CHECK(equal(got->body.declassify(), "hello"));
  }
}

TEST_CASE("a refused machine learns why, and the verifier keeps the verdict") {
  Rig& rig = Rig::get();
  ReferenceValues other = rig.values;
  other.sets[0].pcrs[1].expected[0][0] ^= 1;
  other.sets[0].pcrs[1].component = "initrd";
  AppraisalPolicy policy = rig.policy;
  policy.values = &other;
  QuoteBatch batch(*rig.issuer);
  Pair p(rig.config(TlsSide::client, nullptr, &batch), rig.config(TlsSide::server, &policy, &batch));
  CHECK(p.closed(&batch));
  CHECK(p.server->step().code() == Code::reference_mismatch);
  CHECK(p.server->peer_verdict()->code == Code::reference_mismatch);
  CHECK(p.client->step().code() == Code::peer_refused);
  CHECK(p.client->step().error().foreign == static_cast<int64_t>(Code::reference_mismatch));
  CHECK(p.client->peer_text().find("pcr9 (initrd)") != std::string::npos);
  CHECK(p.client->send(FrameType::join_request, "x").code() == Code::peer_refused);
  CHECK(p.client->receive().code() == Code::peer_refused);
}

TEST_CASE("demands that cannot be met end the session with their own codes") {
  Rig& rig = Rig::get();
  QuoteBatch batch(*rig.issuer);
  SUBCASE("the demanding side meets a peer that cannot attest") {
    Pair p(rig.config(TlsSide::client, &rig.policy, nullptr), rig.config(TlsSide::server, nullptr, nullptr));
    CHECK(p.closed(&batch));
    CHECK(p.client->step().code() == Code::not_attested);
    CHECK(p.server->step().code() == Code::evidence_demanded);
  }
  SUBCASE("a peer attests with a variant that has no reference set") {
    ReferenceValues other = rig.values;
    other.sets[0].variant = Variant::tpm;
    AppraisalPolicy policy = rig.policy;
    policy.values = &other;
    Pair p(rig.config(TlsSide::client, &policy, nullptr), rig.config(TlsSide::server, nullptr, &batch));
    CHECK(p.closed(&batch));
    CHECK(p.client->step().code() == Code::variant_unknown);
    CHECK(p.server->step().code() == Code::variant_unknown);
  }
  SUBCASE("a machine that insists on being verified meets a peer that does not ask") {
    SessionConfig server = rig.config(TlsSide::server, nullptr, &batch);
    server.require_attesting = true;
    Pair p(rig.config(TlsSide::client, nullptr, nullptr), server);
    CHECK(p.closed(&batch));
    CHECK(p.server->step().code() == Code::peer_refused);
    CHECK(p.client->step().code() == Code::peer_error);
    CHECK(p.client->step().error().foreign == static_cast<int64_t>(Code::peer_refused));
  }
  SUBCASE("a policy without reference values demands nothing, and is refused before anything is sent") {
    AppraisalPolicy empty;
    Pair p(rig.config(TlsSide::client, &empty, nullptr), rig.config(TlsSide::server, nullptr, &batch));
    CHECK(p.closed(&batch));
    CHECK(p.client->step().code() == Code::reference_empty);
  }
}

TEST_CASE("requests wait their turn: one at a time, in order, either way, up to the largest") {
  Rig& rig = Rig::get();
  Pair p(rig.config(TlsSide::client, nullptr, nullptr), rig.config(TlsSide::server, nullptr, nullptr));
  CHECK(p.client->send(FrameType::join_request, "early").code() == Code::not_attested);
  CHECK(p.client->receive().code() == Code::not_attested);
  REQUIRE(p.open(nullptr));
  CHECK(p.client->send(FrameType::hello, "x").code() == Code::frame_type);
  CHECK(p.client->send(FrameType::error, "x").code() == Code::frame_type);
  CHECK(p.client->send(FrameType::rejoin_request, std::string(17, 'x')).code() == Code::frame_size);

  const std::vector<uint8_t> large(*max_body(static_cast<uint8_t>(FrameType::init_request)), 7);
  CHECK(p.client->send(FrameType::init_request, large).ok());
  for (char c = 'a'; c < 'f'; ++c) CHECK(p.client->send(FrameType::join_request, std::string(1, c)).ok());
  std::string order;
  size_t size = 0;
  CHECK(pump({p.client.get(), p.server.get()}, nullptr, [&] {
    for (;;) {
      auto frame = p.server->receive();
      if (!frame.ok() || !*frame) break;
      if ((*frame)->type == FrameType::init_request) size = (*frame)->body.size();
      else order += std::string((*frame)->body.declassify().text());
    }
    return order.size() == 5;
  }));
  CHECK(size == large.size());
  CHECK(order == "abcde");
  CHECK(p.client->drained());

  for (int i = 0; i < 64; ++i) CHECK(p.client->send(FrameType::join_request, "x").ok());
  CHECK(p.client->send(FrameType::join_request, "x").code() == Code::busy);
}

TEST_CASE("refuse() tells the peer and closes") {
  Rig& rig = Rig::get();
  Pair p(rig.config(TlsSide::client, nullptr, nullptr), rig.config(TlsSide::server, nullptr, nullptr));
  REQUIRE(p.open(nullptr));
  p.server->refuse(Code::unknown_node, "no such node\x1b[2J");
  CHECK(p.server->send(FrameType::join_ticket, "x").code() == Code::not_attested);
  CHECK(p.closed(nullptr));
  CHECK(p.server->step().code() == Code::closed);
  CHECK(p.client->step().code() == Code::peer_error);
  CHECK(p.client->step().error().foreign == static_cast<int64_t>(Code::unknown_node));
  CHECK(p.client->peer_text() == "no such node?[2J");
}

TEST_CASE("64 concurrent sessions are answered by a handful of quotes") {
  Rig& rig = Rig::get();
  QuoteBatch batch(*rig.issuer);
  const uint64_t before = rig.issuer->quotes();
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<Session*> ends;
  for (int i = 0; i < 64; ++i) {
    pairs.push_back(std::make_unique<Pair>(rig.config(TlsSide::client, &rig.policy, nullptr),
                                           rig.config(TlsSide::server, nullptr, &batch)));
    ends.push_back(pairs.back()->client.get());
    ends.push_back(pairs.back()->server.get());
    // mbedTLS holds one of 32 key slots per client between its hello and the server's; here all clients are one process.
    if (i % 16 == 15) {
      CHECK(pump(ends, nullptr, [&] {
        for (Session* end : ends) {
          if (end->state() == Session::State::handshake) return false;
        }
        return true;
      }));
    }
  }
  CHECK(pump(ends, &batch, [&] {
    for (Session* end : ends) {
      if (!end->open()) return false;
    }
    return true;
  }));
  for (auto& p : pairs) {
    REQUIRE(p->client->peer_verdict() != nullptr);
    CHECK(p->client->peer_verdict()->passed());
  }
  CHECK(rig.issuer->quotes() - before <= 8);
  MESSAGE("quotes for 64 sessions: ", rig.issuer->quotes() - before);
}

TEST_CASE("a session that ends takes its binding out of the batch") {
  Rig& rig = Rig::get();
  QuoteBatch batch(*rig.issuer);
  Pair p(rig.config(TlsSide::client, &rig.policy, nullptr), rig.config(TlsSide::server, nullptr, &batch));
  CHECK(pump({p.client.get(), p.server.get()}, nullptr, [&] { return p.server->waits_for_quote(); }));
  CHECK(batch.pending());
  p.client.reset();
  CHECK(test::run_to_end(*p.server, nullptr).code == Code::closed);
  CHECK_FALSE(batch.pending());
}

// A wire between two sockets that moves at most `chunk` bytes at a time and goes dead after `budget` bytes in all.
struct Wire {
  Fd a, b;
  size_t chunk, budget, moved = 0;
  void move() {
    for (auto [from, to] : {std::pair(a.get(), b.get()), std::pair(b.get(), a.get())}) {
      uint8_t data[4096];
      const size_t want = std::min({chunk, sizeof data, budget - moved});
      if (want == 0) continue;
      ssize_t n = ::recv(from, data, want, MSG_DONTWAIT);
      if (n <= 0) continue;
      moved += static_cast<size_t>(n);
      (void)!::send(to, data, static_cast<size_t>(n), MSG_NOSIGNAL);
    }
  }
};

// Runs client and server over a wire; both end open, or the wire was cut. Returns the bytes moved.
size_t over_wire(size_t chunk, size_t budget, bool& both_open) {
  Rig& rig = Rig::get();
  QuoteBatch batch(*rig.issuer);
  auto [a, wire_a] = test::socket_pair();
  auto [b, wire_b] = test::socket_pair();
  std::unique_ptr<Wire> wire(new Wire{std::move(wire_a), std::move(wire_b), chunk, budget});
  auto client = Session::create(std::move(a), rig.config(TlsSide::client, &rig.policy, nullptr));
  auto server = Session::create(std::move(b), rig.config(TlsSide::server, nullptr, &batch));
  REQUIRE(client.ok());
  REQUIRE(server.ok());
  size_t moved = 0;
  for (int idle = 0; idle < 3; ++idle) {
    (void)(*client)->step();
    (void)(*server)->step();
    if (batch.pending()) batch.flush(), idle = -1;
    const size_t before = wire->moved;
    wire->move();
    if (wire->moved != before) idle = -1;
    if ((*client)->open() && (*server)->open()) break;
  }
  moved = wire->moved;
  both_open = (*client)->open() && (*server)->open();
  if (!both_open) {
    wire.reset();
    for (Session* end : {client->get(), server->get()}) {
      Error error = test::run_to_end(*end, &batch);
      CAPTURE(budget);
      CAPTURE(std::string(error.site));
      CHECK((error.code == Code::closed || error.code == Code::tls_failed));
    }
  }
  return moved;
}

TEST_CASE("delivery byte by byte works") {
  bool open = false;
  const size_t total = over_wire(1, SIZE_MAX, open);
  CHECK(open);
  CHECK(total > 2000);
}

TEST_CASE("a conversation cut anywhere ends cleanly on both sides") {
  bool open = false;
  const size_t total = over_wire(4096, SIZE_MAX, open);
  REQUIRE(open);
  size_t cuts = 0;
  // Every cut of the first bytes, then one in 23: at other offsets TLS delivers nothing of an incomplete record anyway.
  for (size_t budget = 0; budget + 1 < total; budget += budget < 16 ? 1 : 23) {
    over_wire(4096, budget, open);
    ++cuts;
  }
  MESSAGE("cuts: ", cuts, " of ", total, " bytes");
}

TEST_CASE("the blocking drivers carry a request over TCP") {
  Rig& rig = Rig::get();
  QuoteBatch batch(*rig.issuer);
  CHECK(listen_tcp("localhost:1", 1).code() == Code::bad_value);
  CHECK(listen_tcp("127.0.0.1:65536", 1).code() == Code::bad_value);
  CHECK(connect_tcp("[::1", 1).code() == Code::bad_value);
  CHECK(connect_tcp("127.0.0.1:", 1).code() == Code::bad_value);
  auto listener = listen_tcp("127.0.0.1:0", 4);
  REQUIRE(listener.ok());
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  REQUIRE(getsockname(listener->get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  uint16_t port;
  std::memcpy(&port, reinterpret_cast<const uint8_t*>(&address) + 2, 2);
  port = static_cast<uint16_t>(port >> 8 | port << 8);

  // The client in a child process: real blocking on both ends.
  pid_t child = fork();
  if (child == 0) {
    auto fd = connect_tcp("127.0.0.1:" + std::to_string(port), 2000);
    if (!fd.ok()) _exit(1);
    auto session = Session::create(std::move(*fd), rig.config(TlsSide::client, &rig.policy, nullptr));
    if (!session.ok() || !drive_to_open(**session, nullptr).ok()) _exit(2);
    if (!(*session)->send(FrameType::verify_request, Bytes()).ok() || !drive_to_drained(**session).ok()) _exit(3);
    if (!drive_to_frame(**session, FrameType::init_progress).ok()) _exit(4);
    if (drive_to_frame(**session, FrameType::verify_response).code() != Code::frame_type) _exit(5);
    if (drive_to_frame(**session, FrameType::verify_response).code() != Code::peer_error) _exit(6);
    _exit(0);
  }
  pollfd ready{listener->get(), POLLIN, 0};
  REQUIRE(poll(&ready, 1, 5000) == 1);
  Fd accepted(accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
  auto session = Session::create(std::move(accepted), rig.config(TlsSide::server, nullptr, &batch));
  REQUIRE(session.ok());
  CHECK(drive_to_open(**session, &batch).ok());
  auto request = drive_to_frame(**session, FrameType::verify_request);
  CHECK(request.ok());
  CHECK((*session)->send(FrameType::init_progress, "a").ok());
  CHECK((*session)->send(FrameType::init_progress, "b").ok());
  (*session)->refuse(Code::busy, "enough");
  CHECK(test::run_to_end(**session, nullptr).code == Code::closed);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace cstl
