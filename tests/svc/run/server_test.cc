// The server with real sessions on socket pairs, and real TPM evidence where evidence matters.
#include "svc/run/server.h"

#include <doctest/doctest.h>

#include "tests/attest/atls/rig.h"

namespace cstl {
namespace {

using test::Rig;

struct Served {
  explicit Served(ServerConfig config = {}) {
    Rig& rig = Rig::get();
    if (config.identity == nullptr) config.identity = rig.server.get();
    if (config.requests.empty()) {
      config.requests.push_back({FrameType::verify_request, 2, [](Exchange& e) {
                                   return e.session.send(FrameType::verify_response, e.body);
                                 }});
      config.requests.push_back({FrameType::recover_request, 1, [](Exchange& e) {
                                   return e.session.send(FrameType::recover_done, {});
                                 }, FrameType::verify_request});
      config.requests.push_back({FrameType::join_request, 1, [](Exchange& e) -> Status {
                                   e.text = "no room";
                                   return fail(Code::disk_taken, "test");
                                 }});
    }
    config.on_end = [this](const SessionEnd& end) {
      codes.push_back(end.error.code);
      served.push_back(end.served);
    };
    auto listening = listen_tcp("127.0.0.1:0", 16);
    REQUIRE(listening.ok());
    auto made = Server::create(std::move(*listening), std::move(config));
    REQUIRE(made.ok());
    server = std::move(*made);
    loop.add(*server);
  }

  std::unique_ptr<Session> connect(QuoteBatch* attester = nullptr, const AppraisalPolicy* demand = nullptr) {
    auto [ours, theirs] = test::socket_pair();
    REQUIRE(server->adopt(std::move(theirs), "test").ok());
    auto session = Session::create(std::move(ours), Rig::get().config(TlsSide::client, demand, attester));
    REQUIRE(session.ok());
    return std::move(*session);
  }

  // Turns of the loop and steps of the clients until `done`; false after ten seconds.
  bool turn(const std::vector<Session*>& clients, QuoteBatch* batch, const std::function<bool()>& done) {
    for (int64_t limit = monotonic_ms() + 10'000; monotonic_ms() < limit;) {
      for (Session* client : clients) (void)client->step();  // each test looks at its own result
      if (batch != nullptr && batch->pending()) batch->flush();
      REQUIRE(loop.poll_once(1).ok());
      if (done()) return true;
    }
    return false;
  }
  std::optional<Frame> ask(Session& client, FrameType type, Bytes body = {}) {
    if (!turn({&client}, nullptr, [&] { return client.open() || client.state() == Session::State::closed; })) return {};
    if (!client.send(type, body).ok()) return {};
    std::optional<Frame> answer;
    (void)turn({&client}, nullptr, [&] {
      if (client.state() == Session::State::closed) return true;
      auto frame = client.receive();
      if (frame.ok() && frame->has_value()) answer = std::move(**frame);
      return answer.has_value();
    });
    return answer;
  }

  Loop loop;
  std::unique_ptr<Server> server;
  std::vector<Code> codes;
  std::vector<bool> served;
};

TEST_CASE("what is in the request table is answered as often as it says, and only after what it follows") {
  struct Row {
    const char* name;
    std::vector<FrameType> requests;
    Code last;   // what the peer is told about the last one
    bool served;
  };
  const Row rows[] = {
      {"a listed request", {FrameType::verify_request}, Code::ok, true},
      {"as often as allowed", {FrameType::verify_request, FrameType::verify_request}, Code::ok, true},
      {"once too often", {FrameType::verify_request, FrameType::verify_request, FrameType::verify_request}, Code::frame_type, true},
      {"an unlisted request", {FrameType::rejoin_request}, Code::frame_type, false},
      {"a response as a request", {FrameType::verify_response}, Code::frame_type, false},
      {"a request before the one that it follows", {FrameType::recover_request}, Code::frame_type, false},
      {"a request after the one that it follows", {FrameType::verify_request, FrameType::recover_request}, Code::ok, true},
      {"a request that its handler refuses", {FrameType::join_request}, Code::disk_taken, false},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Served s;
    auto client = s.connect();
    for (size_t i = 0; i < row.requests.size(); ++i) {
      auto answer = s.ask(*client, row.requests[i]);
      if (i + 1 == row.requests.size() && row.last != Code::ok) {
        CHECK_FALSE(answer.has_value());
        Error error = test::run_to_end(*client, nullptr);
        CHECK(error.code == Code::peer_error);
        CHECK(code_from_number(static_cast<uint16_t>(error.foreign)) == row.last);
        if (row.last == Code::disk_taken) CHECK(client->peer_text() == "no room");
      } else {
        CHECK(answer.has_value());
      }
    }
    client.reset();
    CHECK(s.turn({}, nullptr, [&] { return s.codes.size() == 1; }));
    CHECK(s.codes[0] == (row.last == Code::ok ? Code::closed : row.last));
    CHECK(s.served[0] == row.served);
    CHECK(s.server->sessions() == 0);
  }
}

TEST_CASE("over the maximum, a session is told so after TLS, and the others go on") {
  ServerConfig config;
  config.max_sessions = 2;
  Served s(std::move(config));
  auto one = s.connect(), two = s.connect(), three = s.connect();
  CHECK(s.turn({one.get(), two.get(), three.get()}, nullptr, [&] {
    return one->open() && two->open() && three->state() == Session::State::closed;
  }));
  Error error = three->step().error();
  CHECK(error.code == Code::peer_error);
  CHECK(code_from_number(static_cast<uint16_t>(error.foreign)) == Code::too_many_sessions);
  CHECK(s.ask(*one, FrameType::verify_request, {}).has_value());
}

TEST_CASE("a peer that stalls is dropped at the deadline of its phase") {
  ServerConfig config;
  config.handshake_ms = 50;
  config.request_ms = 50;
  Served s(std::move(config));
  auto [silent, theirs] = test::socket_pair();
  REQUIRE(s.server->adopt(std::move(theirs), "silent").ok());
  CHECK(s.turn({}, nullptr, [&] { return s.codes.size() == 1; }));
  auto idle = s.connect();
  CHECK(s.turn({idle.get()}, nullptr, [&] { return s.codes.size() == 2; }));
  CHECK(s.codes == std::vector<Code>{Code::timeout, Code::timeout});
}

TEST_CASE("sessions that wait together share a quote, and their evidence passes") {
  Rig& rig = Rig::get();
  QuoteBatch batch(*rig.issuer);
  ServerConfig config;
  config.attester = &batch;
  Served s(std::move(config));
  constexpr size_t kSessions = 24;
  std::vector<std::unique_ptr<Session>> clients;
  std::vector<Session*> ends;
  for (size_t i = 0; i < kSessions; ++i) {
    clients.push_back(s.connect(nullptr, &rig.policy));
    ends.push_back(clients.back().get());
  }
  uint64_t before = rig.issuer->quotes();
  CHECK(s.turn(ends, nullptr, [&] {
    for (Session* end : ends) {
      if (!end->open()) return false;
    }
    return true;
  }));
  CHECK(rig.issuer->quotes() - before <= 6);
}

TEST_CASE("a client that does not attest as demanded gets no request through") {
  Rig& rig = Rig::get();
  ServerConfig config;
  config.demand = &rig.policy;
  Served s(std::move(config));
  auto client = s.connect();
  CHECK(s.turn({client.get()}, nullptr, [&] { return s.codes.size() == 1; }));
  CHECK_FALSE(s.served[0]);
  CHECK(client->send(FrameType::verify_request, {}).code() == Code::not_attested);
}

TEST_CASE("an answer may come after the handler's return") {
  uint64_t waiting = 0;
  ServerConfig config;
  config.requests.push_back({FrameType::verify_request, 1, [&](Exchange& e) -> Status {
                               waiting = e.id;
                               return success();
                             }});
  Served s(std::move(config));
  auto client = s.connect();
  REQUIRE(s.turn({client.get()}, nullptr, [&] { return client->open(); }));
  REQUIRE(client->send(FrameType::verify_request, {}).ok());
  REQUIRE(s.turn({client.get()}, nullptr, [&] { return waiting != 0; }));
  Session* session = s.server->session(waiting);
  REQUIRE(session != nullptr);
  REQUIRE(session->send(FrameType::verify_response, "later").ok());
  std::optional<Frame> answer;
  CHECK(s.turn({client.get()}, nullptr, [&] {
    auto frame = client->receive();
    if (frame.ok() && frame->has_value()) answer = std::move(**frame);
    return answer.has_value();
  }));
  CHECK(s.server->session(waiting + 1) == nullptr);
}

TEST_CASE("a server without identity, table or handler is not made") {
  ServerConfig empty;
  CHECK(Server::create(Fd(), empty).code() == Code::bad_value);
  empty.identity = Rig::get().server.get();
  CHECK(Server::create(Fd(), empty).code() == Code::bad_value);
  empty.requests.push_back({FrameType::verify_request, 1, nullptr});
  CHECK(Server::create(Fd(), empty).code() == Code::bad_value);
}

}  // namespace
}  // namespace cstl
