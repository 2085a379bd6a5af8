#include "boot/join/client.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

constexpr int kConnectMs = 5000;

Result<Fd> start_connect(const Endpoint& endpoint) {
  sockaddr_storage address;
  socklen_t size = endpoint.fill(&address);
  Fd fd(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno("join.socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 && errno != EINPROGRESS) {
    return fail_errno("join.connect");
  }
  return fd;
}

// nullopt: the image brings none.
Result<std::optional<ReferenceValues>> baked_values(const char* path, int64_t now, std::string* problem) {
  auto baked = read_file(path, kMaxReferenceValues);
  if (baked.code() == Code::not_found) return std::optional<ReferenceValues>();
  if (!baked) {
    if (problem) *problem = "the reference values of the image cannot be read";
    return baked.error();
  }
  TRY_LET(ReferenceValues values, ReferenceValues::parse(Bytes(*baked).text(), now, problem));
  return std::optional<ReferenceValues>(std::move(values));
}

}  // namespace

Result<ReferenceValues> accepted_from_joinservice(LocalAttester& attester, const char* baked_path, int64_t now,
                                                  std::string* problem) {
  TRY_LET(std::optional<ReferenceValues> baked, baked_values(baked_path, now, problem));
  if (baked) return std::move(*baked);
  TRY_LET(ReferenceSet set, own_image(attester, now, problem));
  ReferenceValues out;
  out.sets.push_back(std::move(set));
  return out;
}

struct JoinAttempt::Impl {
  Fd connecting;                      // until the session owns it
  int64_t connect_deadline = 0;
  std::unique_ptr<Session> session;
  JoinParty party;
  AppraisalPolicy policy;
  FrameType request = FrameType::join_request;
  FrameType answer = FrameType::join_ticket;
  uint8_t body[kMaxJoinRequest];
  size_t body_size = 0;
  bool sent = false;
  std::optional<Frame> ticket;

  Status begin(const Endpoint& endpoint, const JoinParty& who, Bytes encoded) {
    party = who;
    policy.values = who.accepted;
    policy.cluster = ClusterRule::inside;
    policy.now = who.now;
    if (encoded.data() != body) trap("join.body");
    body_size = encoded.size();
    TRY_LET(connecting, start_connect(endpoint));
    connect_deadline = monotonic_ms() + kConnectMs;
    return success();
  }

  // True once connected; false while it is still under way.
  Result<bool> connected() {
    pollfd wait{connecting.get(), POLLOUT, 0};
    if (poll(&wait, 1, 0) < 0 && errno != EINTR) return fail_errno("join.poll");
    if (wait.revents == 0) {
      if (monotonic_ms() >= connect_deadline) return fail(Code::timeout, "join.connect");
      return false;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connecting.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return fail_errno("join.connect");
    if (error != 0) return fail_errno("join.connect", error);
    SessionConfig config;
    config.side = TlsSide::client;
    config.identity = party.identity;
    config.demand = &policy;
    config.attester = party.attester;
    config.require_attesting = true;
    TRY_LET(session, Session::create(std::move(connecting), config));
    return true;
  }
};

JoinAttempt::JoinAttempt() : impl_(new Impl) {}
JoinAttempt::~JoinAttempt() = default;

Result<std::unique_ptr<JoinAttempt>> JoinAttempt::join(const Endpoint& endpoint, const JoinParty& party, const Uuid& disk,
                                                       Role role, std::string_view name, const NodeOffer& offer) {
  if (!valid_node_name(name)) return fail(Code::bad_value, "join.name");
  std::unique_ptr<JoinAttempt> out(new JoinAttempt);
  JoinRequest request;
  request.disk = disk;
  request.role = role;
  request.name = name;
  request.address = offer.address;
  request.csr = offer.csr;
  request.wireguard_key = offer.wireguard_key;
  TRY_LET(Bytes encoded, request.encode(MutBytes(out->impl_->body, sizeof out->impl_->body)));
  out->impl_->request = FrameType::join_request;
  out->impl_->answer = FrameType::join_ticket;
  TRY(out->impl_->begin(endpoint, party, encoded));
  return out;
}

Result<std::unique_ptr<JoinAttempt>> JoinAttempt::rejoin(const Endpoint& endpoint, const JoinParty& party,
                                                         const Uuid& disk) {
  std::unique_ptr<JoinAttempt> out(new JoinAttempt);
  RejoinRequest request;
  request.disk = disk;
  TRY_LET(Bytes encoded, request.encode(MutBytes(out->impl_->body, sizeof out->impl_->body)));
  out->impl_->request = FrameType::rejoin_request;
  out->impl_->answer = FrameType::rejoin_ticket;
  TRY(out->impl_->begin(endpoint, party, encoded));
  return out;
}

int JoinAttempt::fd() const { return impl_->session ? impl_->session->fd() : impl_->connecting.get(); }
short JoinAttempt::events() const { return impl_->session ? impl_->session->events() : short{POLLOUT}; }
int64_t JoinAttempt::deadline() const {
  return impl_->session ? impl_->session->deadline() : impl_->connect_deadline;
}
bool JoinAttempt::waits_for_quote() const { return impl_->session && impl_->session->waits_for_quote(); }

Result<bool> JoinAttempt::step() {
  Impl& s = *impl_;
  if (s.ticket) return true;
  if (!s.session) {
    TRY_LET(bool connected, s.connected());
    if (!connected) return false;
  }
  TRY(s.session->step());
  if (!s.session->open()) return false;
  if (!s.sent) {
    TRY(s.session->send(s.request, Bytes(s.body, s.body_size)));
    s.sent = true;
    TRY(s.session->step());
  }
  TRY_LET(std::optional<Frame> frame, s.session->receive());
  if (!frame) return false;
  if (frame->type != s.answer) return fail(Code::frame_type, "join.answer");
  s.ticket = std::move(frame);
  return true;
}

Result<Joined> JoinAttempt::take_join() {
  Impl& s = *impl_;
  if (!s.ticket || s.answer != FrameType::join_ticket) return fail(Code::internal, "join.take");
  TRY_LET(JoinTicket ticket, JoinTicket::decode(s.ticket->body.declassify()));
  Joined out{std::move(s.ticket->body), std::move(ticket)};
  s.ticket.reset();
  return out;
}

Result<RejoinTicket> JoinAttempt::take_rejoin() {
  Impl& s = *impl_;
  if (!s.ticket || s.answer != FrameType::rejoin_ticket) return fail(Code::internal, "rejoin.take");
  TRY_LET(RejoinTicket ticket, RejoinTicket::decode(s.ticket->body.declassify()));
  s.ticket.reset();
  return ticket;
}

std::string JoinAttempt::explanation() const {
  if (!impl_->session) return {};
  // What the peer said ended the session; a verdict on the peer may be unfinished then.
  std::string said = impl_->session->peer_text();
  if (!said.empty()) return said;
  const Verdict* verdict = impl_->session->peer_verdict();
  return verdict && !verdict->passed() ? verdict->summary() : said;
}

namespace {

// Steps until the ticket is there; the caller's deadline also cuts a session that trickles.
Status drive(JoinAttempt& attempt, const JoinParty& party, int timeout_ms) {
  int64_t end = monotonic_ms() + timeout_ms;
  for (;;) {
    TRY_LET(bool done, attempt.step());
    if (done) return success();
    if (attempt.waits_for_quote()) {
      party.attester->flush();
      continue;
    }
    int64_t now = monotonic_ms();
    if (now >= end) return fail(Code::timeout, "join.deadline");
    int64_t wait = std::max<int64_t>(std::min(end, attempt.deadline()) - now, 1);
    pollfd poller{attempt.fd(), attempt.events(), 0};
    if (poll(&poller, 1, static_cast<int>(std::min<int64_t>(wait, 60000))) < 0 && errno != EINTR) {
      return fail_errno("join.poll");
    }
  }
}

}  // namespace

Result<Joined> join(const Endpoint& endpoint, const JoinParty& party, const Uuid& disk, Role role, std::string_view name,
                    int timeout_ms, std::string* explanation, const NodeOffer& offer) {
  TRY_LET(auto attempt, JoinAttempt::join(endpoint, party, disk, role, name, offer));
  Status driven = drive(*attempt, party, timeout_ms);
  if (!driven.ok()) {
    if (explanation) *explanation = attempt->explanation();
    return driven.error();
  }
  return attempt->take_join();
}

Result<RejoinTicket> rejoin(const Endpoint& endpoint, const JoinParty& party, const Uuid& disk, int timeout_ms,
                            std::string* explanation) {
  TRY_LET(auto attempt, JoinAttempt::rejoin(endpoint, party, disk));
  Status driven = drive(*attempt, party, timeout_ms);
  if (!driven.ok()) {
    if (explanation) *explanation = attempt->explanation();
    return driven.error();
  }
  return attempt->take_rejoin();
}

}  // namespace cstl
