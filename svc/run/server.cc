#include "svc/run/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace cstl {

namespace {
constexpr size_t kRefusalSlots = 4;    // beyond max_sessions, only to say too_many_sessions
constexpr int kAcceptsPerTurn = 16;    // so that a storm of connections does not starve sessions
constexpr int kAcceptPauseMs = 100;    // after EMFILE and the like, which would spin

Status make_non_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("server.non_blocking");
  return success();
}
}  // namespace

std::string peer_name(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  return "";
}

struct Server::Slot {
  uint64_t id = 0;
  std::unique_ptr<Session> session;
  std::string peer;
  size_t position = SIZE_MAX;       // in the PollSet of this turn; SIZE_MAX: new
  bool over_limit = false;          // exists only to be told too_many_sessions
  std::vector<unsigned> used;       // per rule of the table
  std::optional<Error> refused;     // an error frame is on its way
  std::optional<Error> ended;
  bool opened = false;
  bool served = false;
};

Result<std::unique_ptr<Server>> Server::create(Fd listener, ServerConfig config) {
  if (config.identity == nullptr || config.requests.empty()) return fail(Code::bad_value, "server.config");
  for (const RequestRule& rule : config.requests) {
    if (!rule.handler || rule.per_session == 0) return fail(Code::bad_value, "server.rule");
  }
  TRY(make_non_blocking(listener.get()));
  std::unique_ptr<Server> server(new Server(std::move(config)));
  server->listener_ = std::move(listener);
  return server;
}

Server::Server(ServerConfig config) : config_(std::move(config)) {}
Server::~Server() = default;

void Server::prepare(PollSet& set) {
  listener_position_ = SIZE_MAX;
  if (listener_.valid() && slots_.size() < config_.max_sessions + kRefusalSlots) {
    if (accept_again_ > monotonic_ms()) {
      set.wake_by(accept_again_);
    } else {
      listener_position_ = set.add(listener_.get(), POLLIN);
    }
  }
  for (auto& slot : slots_) {
    slot->position = set.add(slot->session->fd(), slot->session->events());
    set.wake_by(slot->session->deadline());
    if (slot->session->quote_ready()) set.wake_by(0);  // another server of the loop finished the batch
  }
  quote_position_ = SIZE_MAX;
  if (config_.attester == nullptr) return;
  // A quote was asked for after the last flush (by another server of the loop, or by a handler).
  if (config_.attester->pending()) set.wake_by(0);
  if (const PendingAnswer* running = config_.attester->running()) {
    quote_position_ = set.add(running->fd(), running->events());
    set.wake_by(running->deadline());
  }
}

void Server::dispatch(const PollSet& set) {
  int64_t now = monotonic_ms();
  for (auto& slot : slots_) {
    if (set.ready(slot->position) != 0 || slot->session->deadline() <= now || slot->session->quote_ready()) {
      advance(*slot);
    }
  }
  if (listener_position_ != SIZE_MAX && set.ready(listener_position_) != 0) accept_some();
  if (config_.attester != nullptr) {
    const PendingAnswer* running = config_.attester->running();
    if (running != nullptr && (set.ready(quote_position_) != 0 || running->deadline() <= now)) config_.attester->advance();
    config_.attester->flush();
    for (auto& slot : slots_) {
      if (!slot->ended && slot->session->quote_ready()) advance(*slot);
    }
  }
  sweep();
}

void Server::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn && slots_.size() < config_.max_sessions + kRefusalSlots; ++i) {
    Fd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) {
      if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) accept_again_ = monotonic_ms() + kAcceptPauseMs;
      return;
    }
    std::string peer = peer_name(connection.get());
    (void)adopt(std::move(connection), std::move(peer));  // without memory for it, the peer sees the connection close
  }
}

Status Server::adopt(Fd connection, std::string peer) {
  SessionConfig session;
  session.side = TlsSide::server;
  session.identity = config_.identity;
  session.demand = config_.demand;
  session.attester = config_.attester;
  session.handshake_ms = config_.handshake_ms;
  session.evidence_ms = config_.evidence_ms;
  session.request_ms = config_.request_ms;
  auto slot = std::make_unique<Slot>();
  TRY_LET(slot->session, Session::create(std::move(connection), session));
  slot->id = next_++;
  slot->peer = std::move(peer);
  slot->over_limit = slots_.size() >= config_.max_sessions;
  slot->used.resize(config_.requests.size());
  slots_.push_back(std::move(slot));
  advance(*slots_.back());
  return success();
}

void Server::refuse(Slot& slot, Error error, std::string_view text) {
  if (slot.refused) return;
  slot.refused = error;
  slot.session->refuse(error.code, text);
}

void Server::advance(Slot& slot) {
  if (slot.ended) return;
  for (;;) {
    if (Status status = slot.session->step(); !status.ok()) {
      slot.ended = slot.refused ? *slot.refused : status.error();
      return;
    }
    if (slot.session->state() == Session::State::closed) {
      slot.ended = slot.refused ? *slot.refused : fail(Code::closed, "session.closed");
      return;
    }
    if (slot.over_limit && !slot.refused && slot.session->state() != Session::State::handshake) {
      refuse(slot, fail(Code::too_many_sessions, "server.sessions"), code_what(Code::too_many_sessions));
      continue;
    }
    if (slot.refused || !slot.session->open()) return;
    slot.opened = true;
    auto frame = slot.session->receive();
    if (!frame.ok()) {
      slot.ended = frame.error();
      return;
    }
    if (!frame->has_value()) return;
    serve(slot, **frame);
  }
}

void Server::serve(Slot& slot, const Frame& frame) {
  if (frame.type == FrameType::error) {
    slot.ended = fail(Code::peer_error, "server.request");
    return;
  }
  auto index_of = [&](FrameType type) {
    auto same = [type](const RequestRule& rule) { return rule.type == type; };
    return static_cast<size_t>(std::find_if(config_.requests.begin(), config_.requests.end(), same) -
                               config_.requests.begin());
  };
  size_t index = index_of(frame.type);
  if (index == config_.requests.size()) {
    refuse(slot, fail(Code::frame_type, "server.unlisted"), "this message is not a request that is served here");
    return;
  }
  const RequestRule& rule = config_.requests[index];
  if (slot.used[index] >= rule.per_session) {
    refuse(slot, fail(Code::frame_type, "server.repeated"), "this request was already answered in this session");
    return;
  }
  if (rule.after) {
    size_t before = index_of(*rule.after);
    if (before == config_.requests.size() || slot.used[before] == 0) {
      refuse(slot, fail(Code::frame_type, "server.early"), "this request comes before the one that it follows");
      return;
    }
  }
  ++slot.used[index];
  Exchange exchange{slot.id, *slot.session, frame.body.declassify(), {}};
  if (Status status = rule.handler(exchange); !status.ok()) {
    refuse(slot, status.error(), exchange.text.empty() ? std::string_view(code_what(status.code())) : exchange.text);
    return;
  }
  slot.served = true;
}

Session* Server::session(uint64_t id) {
  for (auto& slot : slots_) {
    if (slot->id == id && !slot->ended) return slot->session.get();
  }
  return nullptr;
}

void Server::stop_listening() { listener_ = Fd(); }

void Server::sweep() {
  for (size_t i = 0; i < slots_.size();) {
    if (!slots_[i]->ended) {
      ++i;
      continue;
    }
    std::unique_ptr<Slot> slot = std::move(slots_[i]);
    slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(i));
    if (config_.on_end) {
      config_.on_end(SessionEnd{slot->id, slot->peer, *slot->ended, slot->opened, slot->served,
                                slot->session->appraisal_seconds(), slot->session->peer_verdict(),
                                slot->session->peer_text()});
    }
  }
}

}  // namespace cstl
