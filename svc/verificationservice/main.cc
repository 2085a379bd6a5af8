// cstl-verificationservice: gives evidence to whoever asks, and the facts that go with it. It reads no state: whoever
// starts it passes the facts as arguments.
#include "crypto/base/log.h"
#include "svc/attester/client.h"
#include "svc/run/lockdown.h"
#include "svc/run/server.h"
#include "svc/run/service.h"
#include "svc/run/session_metrics.h"
#include "svc/wire/join.h"
#include "svc/wire/verify.h"

namespace cstl {
namespace {

constexpr std::initializer_list<Option> kOptions = {
    {"--cluster-id", "HEX", nullptr, "the clusterID, 64 digits"},
    {"--role", "ROLE", nullptr, "control-plane or worker"},
    {"--name", "NAME", nullptr, "the node's name"},
    {"--listen", "ADDRESS:PORT", "0.0.0.0:9091", "TCP endpoint to serve"},
    {"--attester", "PATH", "/run/cstl/attester/attester.sock", "the attester's unix socket"},
    {"--max-sessions", "N", "64", "open sessions at a time"},
    kMetricsOption,
    kLogOption,
};

constexpr int kAttesterMs = 20000;  // it may be starting, too

Status serve(const Arguments& arguments, Monitor& monitor) {
  VerifyResponse facts;
  TRY(from_hex(arguments.get("--cluster-id"), facts.cluster_id));
  TRY_LET(facts.role, role_from_name(arguments.get("--role")));
  facts.name = arguments.get("--name");
  if (!valid_node_name(facts.name)) return fail(Code::bad_value, "arguments.name");
  facts.version = CSTL_VERSION;
  std::array<uint8_t, 256> space{};
  TRY_LET(Bytes response, facts.encode(space));
  TRY_LET(size_t max_sessions, arguments.number("--max-sessions", 1, 4096));

  TRY_LET(std::unique_ptr<TlsIdentity> identity, TlsIdentity::create());
  TRY_LET(Fd listener, listen_tcp(arguments.get("--listen"), 128));

  // The attester knows the service's user and nobody else.
  TRY_LET(LockdownReport report,
          lock_down(kVerificationserviceUid, kVerificationserviceSeccomp, kVerificationserviceLandlock, {}));
  TRY_LET(auto attester, SocketAttester::create(arguments.get("--attester"), kAttesterMs));
  QuoteBatch batch(*attester);
  SessionMetrics metrics(monitor.metrics, false);
  metrics.watch(batch);

  ServerConfig config;
  config.identity = identity.get();
  config.attester = &batch;
  config.max_sessions = max_sessions;
  config.request_ms = 10000;
  config.requests.push_back({FrameType::verify_request, 1, [response](Exchange& exchange) -> Status {
                               if (!exchange.body.empty()) return fail(Code::trailing, "verify.request");
                               return exchange.session.send(FrameType::verify_response, response);
                             }});
  config.on_end = [&metrics](const SessionEnd& end) {
    metrics.ended(end);
    if (end.served) {
      log_info("session.served", {{"peer", end.peer}});
    } else {
      log_error("session.failed", end.error, {{"peer", end.peer}, {"says", end.peer_text}});
    }
  };
  TRY_LET(std::unique_ptr<Server> server, Server::create(std::move(listener), std::move(config)));
  Loop loop;
  loop.add(*server);
  metrics.watch(*server);
  monitor.serve(loop);
  log_info("service.ready", {{"listen", arguments.get("--listen")}, {"metrics", monitor.endpoint()},
                             {"landlock", report.landlock_abi}});
  return loop.run();
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) {
  return cstl::service_main(
      argc, argv,
      {"cstl-verificationservice", "Gives evidence about this machine to whoever asks.", cstl::kOptions, cstl::serve,
       cstl::kVerificationserviceUid});
}
