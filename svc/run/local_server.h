// A unix socket for requests between processes of one machine: plain frames (attest/atls/frame.h), and the kernel's word
// for who is asking (SO_PEERCRED). No TLS and no attestation: whoever can name the uid is the same node.
//
// Guarantees as in svc/run/server.h: a maximum of connections, a deadline each, only frames of the table, each at most
// `per_connection` times; anything else is answered by an error frame and ends the connection. An answer that the socket
// does not take at once is sent as it is read; no request is read meanwhile. Never logs, never blocks (its handlers may).
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "attest/atls/frame.h"
#include "crypto/base/fd.h"
#include "svc/run/loop.h"

namespace cstl {

struct LocalPeer {   // as of connect(2); the process may have ended since
  uid_t uid;
  gid_t gid;
  pid_t pid;
};

struct LocalReply {  // may carry a secret; wiped once sent
  FrameType type;
  SecretBuffer body;
};

struct LocalRule {
  FrameType type;
  unsigned per_connection;
  std::function<Result<LocalReply>(const LocalPeer&, Bytes body)> handler;  // an error goes back as error frame
};

struct LocalServerConfig {
  size_t max_connections = 32;
  int deadline_ms = 5000;                        // of a whole connection
  std::function<bool(const LocalPeer&)> admit;   // false: peer_credentials, before a byte is read
  std::vector<LocalRule> requests;
  std::function<void(const LocalPeer&, const Error&)> on_refused;  // may be empty
};

// Binds a new socket at `path` (an old one is replaced), owned by `owner`, connectable by `group` only (mode 0660).
// Errors: too_long, io, denied.
Result<Fd> listen_local(const std::string& path, uid_t owner, gid_t group, int backlog);
// Connects within the kernel's backlog; does not wait. Errors: too_long, not_found, denied, io.
Result<Fd> connect_local(const std::string& path);

class LocalServer final : public Participant {
 public:
  // Owns `listener` (made non-blocking). Errors: bad_value, io.
  static Result<std::unique_ptr<LocalServer>> create(Fd listener, LocalServerConfig config);
  ~LocalServer() override;

  void prepare(PollSet& set) override;
  void dispatch(const PollSet& set) override;
  size_t connections() const { return connections_.size(); }

 private:
  struct Connection;
  explicit LocalServer(LocalServerConfig config);
  void accept_some();
  Status read_some(Connection& connection);
  Status serve(Connection& connection);
  static Result<bool> write_some(Connection& connection);
  void refuse(Connection& connection, const Error& error);

  LocalServerConfig config_;
  Fd listener_;
  size_t listener_position_ = SIZE_MAX;
  int64_t accept_again_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace cstl
