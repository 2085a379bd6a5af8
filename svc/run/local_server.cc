#include "svc/run/local_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "attest/atls/messages.h"

namespace cstl {

namespace {
constexpr int kAcceptsPerTurn = 16;
constexpr int kAcceptPauseMs = 100;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) return fail(Code::too_long, "local.path");
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}
}  // namespace

Result<Fd> listen_local(const std::string& path, uid_t owner, gid_t group, int backlog) {
  TRY_LET(sockaddr_un address, address_of(path));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno("local.socket");
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("local.unlink");
  mode_t old = umask(0777);  // until owner and group are right, nobody may connect
  int bound = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  int saved = errno;
  umask(old);
  if (bound != 0) return fail_errno("local.bind", saved);
  if (lchown(path.c_str(), owner, group) != 0) return fail_errno("local.owner");
  if (chmod(path.c_str(), 0660) != 0) return fail_errno("local.mode");
  if (listen(fd.get(), backlog) != 0) return fail_errno("local.listen");
  return fd;
}

Result<Fd> connect_local(const std::string& path) {
  TRY_LET(sockaddr_un address, address_of(path));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno("local.socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return fail_errno("local.connect");
  return fd;
}

struct LocalServer::Connection {
  explicit Connection(Fd owned) : fd(std::move(owned)) {}
  Fd fd;
  LocalPeer peer{};
  int64_t deadline = 0;
  size_t position = SIZE_MAX;
  std::vector<unsigned> used;
  SecretBuffer input{kFrameHeader};   // the header, then header and body
  size_t filled = 0;
  std::optional<FrameHeader> header;
  SecretBuffer output{0};             // an answer on its way
  size_t sent = 0;
  bool ended = false;
};

Result<std::unique_ptr<LocalServer>> LocalServer::create(Fd listener, LocalServerConfig config) {
  if (!config.admit || config.requests.empty()) return fail(Code::bad_value, "local.config");
  int flags = fcntl(listener.get(), F_GETFL);
  if (flags < 0 || fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("local.non_blocking");
  std::unique_ptr<LocalServer> server(new LocalServer(std::move(config)));
  server->listener_ = std::move(listener);
  return server;
}

LocalServer::LocalServer(LocalServerConfig config) : config_(std::move(config)) {}
LocalServer::~LocalServer() = default;

void LocalServer::prepare(PollSet& set) {
  listener_position_ = SIZE_MAX;
  if (connections_.size() < config_.max_connections) {
    if (accept_again_ > monotonic_ms()) {
      set.wake_by(accept_again_);
    } else {
      listener_position_ = set.add(listener_.get(), POLLIN);
    }
  }
  for (auto& connection : connections_) {
    connection->position = set.add(connection->fd.get(), connection->sent < connection->output.size() ? POLLOUT : POLLIN);
    set.wake_by(connection->deadline);
  }
}

void LocalServer::dispatch(const PollSet& set) {
  int64_t now = monotonic_ms();
  for (auto& connection : connections_) {
    if (connection->deadline <= now) {
      connection->ended = true;
    } else if (set.ready(connection->position) != 0) {
      if (Status status = read_some(*connection); !status.ok()) {
        if (status.code() != Code::closed) refuse(*connection, status.error());
        connection->ended = true;
      }
    }
  }
  if (listener_position_ != SIZE_MAX && set.ready(listener_position_) != 0) accept_some();
  connections_.erase(
      std::remove_if(connections_.begin(), connections_.end(), [](const auto& c) { return c->ended; }),
      connections_.end());
}

void LocalServer::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn && connections_.size() < config_.max_connections; ++i) {
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) accept_again_ = monotonic_ms() + kAcceptPauseMs;
      return;
    }
    auto connection = std::make_unique<Connection>(std::move(fd));
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (getsockopt(connection->fd.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) continue;
    connection->peer = LocalPeer{credentials.uid, credentials.gid, credentials.pid};
    if (!config_.admit(connection->peer)) {
      refuse(*connection, fail(Code::peer_credentials, "local.uid"));
      continue;
    }
    connection->deadline = monotonic_ms() + config_.deadline_ms;
    connection->used.resize(config_.requests.size());
    connections_.push_back(std::move(connection));
  }
}

// True when nothing is left to send.
Result<bool> LocalServer::write_some(Connection& connection) {
  while (connection.sent < connection.output.size()) {
    Bytes left = connection.output.declassify().skip(connection.sent);
    ssize_t n = send(connection.fd.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return false;
    if (n < 0) return fail(Code::closed, "local.send");
    connection.sent += static_cast<size_t>(n);
  }
  return true;
}

Status LocalServer::read_some(Connection& connection) {
  for (;;) {
    TRY_LET(bool drained, write_some(connection));
    if (!drained) return success();
    MutBytes space = connection.input.space();
    if (connection.filled < space.size()) {
      ssize_t n = read(connection.fd.get(), space.data() + connection.filled, space.size() - connection.filled);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return success();
      if (n < 0) return fail_errno("local.read");
      if (n == 0) return fail(Code::closed, "local.read");
      connection.filled += static_cast<size_t>(n);
      continue;
    }
    if (!connection.header) {
      TRY_LET(connection.header, FrameHeader::decode(connection.input.declassify()));
      if (connection.header->body > 0) {
        connection.input = SecretBuffer(connection.header->body);
        connection.filled = 0;
        continue;
      }
      connection.input = SecretBuffer(0);
    }
    TRY(serve(connection));
    connection.header.reset();
    connection.input = SecretBuffer(kFrameHeader);
    connection.filled = 0;
  }
}

Status LocalServer::serve(Connection& connection) {
  auto same = [&](const LocalRule& rule) { return rule.type == connection.header->type; };
  auto rule = std::find_if(config_.requests.begin(), config_.requests.end(), same);
  if (rule == config_.requests.end()) return fail(Code::frame_type, "local.unlisted");
  unsigned& used = connection.used[static_cast<size_t>(rule - config_.requests.begin())];
  if (used++ >= rule->per_connection) return fail(Code::frame_type, "local.repeated");
  TRY_LET(LocalReply reply, rule->handler(connection.peer, connection.input.declassify()));
  connection.sent = 0;
  TRY_LET(connection.output, encode_frame(reply.type, reply.body.declassify()));
  return success();
}

void LocalServer::refuse(Connection& connection, const Error& error) {
  if (config_.on_refused) config_.on_refused(connection.peer, error);
  uint8_t space[kMaxErrorText + 8];
  ErrorMessage message{static_cast<uint16_t>(error.code), code_what(error.code)};
  auto body = message.encode(MutBytes(space, sizeof space));
  if (!body.ok()) return;
  auto frame = encode_frame(FrameType::error, *body);
  if (!frame.ok()) return;
  Bytes out = frame->declassify();
  (void)!send(connection.fd.get(), out.data(), out.size(), MSG_NOSIGNAL);  // best effort: the connection ends anyway
}

}  // namespace cstl
