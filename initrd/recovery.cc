// The recovery child of initrd/unlock.h.
#include <poll.h>

#include "attest/platform/platform.h"
#include "crypto/base/log.h"
#include "initrd/children.h"
#include "initrd/unlock.h"
#include "svc/run/platform_brokers.h"
#include "svc/run/server.h"
#include "svc/wire/recover.h"

namespace cstl {
namespace {

constexpr int kGoodbyeMs = 5000;

// One request at a time waits for PID 1: opening a disk costs memory and time.
class Recovery {
 public:
  Recovery(int socket, const Uuid& disk, const P256Point& owner) : socket_(socket), disk_(disk), owner_(owner) {}

  Status query(Exchange& exchange) {
    RecoverInfo info;
    info.disk = disk_;
    uint8_t space[64];
    TRY_LET(const Bytes body, info.encode(MutBytes(space, sizeof space)));
    return exchange.session.send(FrameType::recover_info, body);
  }

  Status request(Exchange& exchange) {
    TRY(RecoverRequest::verify_owner(exchange.body, owner_, exchange.session.exporter()));
    TRY_LET(const RecoverRequest request, RecoverRequest::decode(exchange.body));
    if (pending_ != 0) return fail(Code::busy, "recovery.pending");
    TRY(send_keys(socket_, request.disk_key, request.measurement_key));
    pending_ = exchange.id;
    log_info("recovery.key_received");
    return success();
  }

  // PID 1 answered. True when the disk is open.
  Result<bool> answered(Server& server) {
    TRY_LET(const Code code, receive_code(socket_));
    Session* session = server.session(pending_);
    pending_ = 0;
    if (code == Code::ok) {
      if (session) TRY(session->send(FrameType::recover_done, Bytes()));
      return true;
    }
    log_error("recovery.key_refused", fail(code, "recovery.request"));
    if (session) session->refuse(code, code_what(code));
    return false;
  }

 private:
  int socket_;
  Uuid disk_;
  P256Point owner_;
  uint64_t pending_ = 0;
};

}  // namespace

Status run_recovery(int socket, Variant variant, const Uuid& disk, const P256Point& owner) {
  PlatformDevices devices;
  devices.brokers = platform_brokers(PlatformPaths());
  TRY_LET(const auto platform, Platform::open(variant, PlatformPaths(), std::move(devices)));
  TRY_LET(const auto issuer, platform->attester());
  TRY_LET(const auto identity, TlsIdentity::create());
  TRY_LET(Fd listener, listen_tcp(kRecoverListen, 8));
  TRY(confine_self(kUnlockUid, kRecoverySeccomp));

  QuoteBatch batch(*issuer);
  Recovery recovery(socket, disk, owner);
  ServerConfig config;
  config.identity = identity.get();
  config.attester = &batch;
  config.max_sessions = 8;
  config.requests = {
      {FrameType::recover_query, 1, [&](Exchange& e) { return recovery.query(e); }},
      {FrameType::recover_request, 1, [&](Exchange& e) { return recovery.request(e); }, FrameType::recover_query},
  };
  config.on_end = [](const SessionEnd& end) {
    if (end.error.code != Code::closed) log_error("recovery.session_ended", end.error, {{"peer", end.peer}});
  };
  TRY_LET(const auto server, Server::create(std::move(listener), std::move(config)));
  log_info("recovery.listening", {{"at", kRecoverListen}, {"disk", uuid_text(disk)}});

  Loop loop;
  loop.add(*server);
  Result<bool> open = false;
  loop.watch(socket, POLLIN, [&](short) { open = recovery.answered(*server); });
  while (open.ok() && !*open) TRY(loop.poll_once(-1));
  if (!open) return open.error();
  server->stop_listening();
  const int64_t end = monotonic_ms() + kGoodbyeMs;
  while (server->sessions() > 0 && monotonic_ms() < end) TRY(loop.poll_once(100));
  return success();
}

}  // namespace cstl
