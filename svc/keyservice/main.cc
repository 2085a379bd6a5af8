// cstl-keyservice: holds the master secret in locked memory and answers key requests of this node's services.
#include "crypto/base/log.h"
#include "svc/keyservice/release.h"
#include "svc/run/local_metrics.h"
#include "svc/run/lockdown.h"
#include "svc/run/service.h"

namespace cstl {
namespace {

constexpr std::initializer_list<Option> kOptions = {
    {"--master", "FILE", "/run/cstl/state/keyservice/master", "64 bytes: key and salt; read once, at start"},
    {"--socket", "PATH", "/run/cstl/keyservice/keyservice.sock", "unix socket to make, for uid 901"},
    kMetricsOption,
    kLogOption,
};
constexpr unsigned kRequestsPerConnection = 16;

constexpr Metric kReleases{"cstl_key_releases_total", MetricKind::counter, "Keys that were given out, by class.", {"class"}};

void declare_releases(Metrics& metrics) {
  for (uint8_t number = 1;; ++number) {
    auto key_class = key_class_from(number);
    if (!key_class.ok()) return;
    metrics.declare(kReleases, {key_class_name(*key_class)});
  }
}

Status serve(const Arguments& arguments, Monitor& monitor) {
  TRY_LET(Locked<MasterSecret> master, load_master(arguments.get("--master").c_str()));
  TRY_LET(Fd listener, listen_local(arguments.get("--socket"), kKeyserviceUid, kJoinserviceUid, 32));

  Metrics& metrics = monitor.metrics;
  declare_releases(metrics);
  LocalMetrics local(metrics);
  LocalServerConfig config;
  config.admit = [](const LocalPeer& peer) { return may_ask(peer.uid); };
  config.on_refused = [&local](const LocalPeer& peer, const Error& error) {
    local.refused(error.code);
    log_error("request.refused", error, {{"uid", peer.uid}, {"pid", peer.pid}});
  };
  config.requests.push_back({FrameType::key_request, kRequestsPerConnection,
                             [&master, &metrics](const LocalPeer& peer, Bytes body) -> Result<LocalReply> {
                               TRY_LET(KeyRequest request, KeyRequest::decode(body));
                               KeyResponse response;
                               TRY_LET(response.key, release_key(*master, peer.uid, request));
                               TRY_LET(SecretBuffer encoded, response.encode());
                               metrics.add(kReleases, {key_class_name(request.key_class)});
                               log_info("key.released", {{"class", key_class_name(request.key_class)},
                                                         {"id", request.id.text()}, {"uid", peer.uid}});
                               return LocalReply{FrameType::key_response, std::move(encoded)};
                             }});
  TRY_LET(std::unique_ptr<LocalServer> server, LocalServer::create(std::move(listener), std::move(config)));
  Loop loop;
  loop.add(*server);
  local.watch(*server);

  TRY_LET(LockdownReport report, lock_down(kKeyserviceUid, kKeyserviceSeccomp, kKeyserviceLandlock, {}));
  monitor.serve(loop);
  log_info("service.ready", {{"socket", arguments.get("--socket")}, {"metrics", monitor.endpoint()},
                             {"landlock", report.landlock_abi}});
  return loop.run();
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) {
  return cstl::service_main(
      argc, argv,
      {"cstl-keyservice", "Holds the master secret and answers key requests of this node.", cstl::kOptions, cstl::serve,
       cstl::kKeyserviceUid});
}
