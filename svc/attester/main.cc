// cstl-attester: holds this machine's TPM and report device and makes evidence for its services, so that none of them
// has them.
#include "crypto/base/log.h"
#include "svc/run/local_metrics.h"
#include "svc/run/lockdown.h"
#include "svc/run/platform_options.h"
#include "svc/run/platform_brokers.h"
#include "svc/run/service.h"
#include "svc/wire/attester.h"

namespace cstl {
namespace {

constexpr std::initializer_list<Option> kOptions = {
    {"--socket", "PATH", "/run/cstl/attester/attester.sock", "unix socket to make, for uids 901 and 903"},
    {"--variant", "VARIANT", "qemu-vtpm", "the attestation variant of this machine"},
    {"--cluster-register", "FILE", "/run/cstl/cluster-register", "sev-snp: which cluster this machine is in"},
    kTpmOption,
    kEventLogOption,
    kCcelOption,
    kConfigfsOption,
    kSevGuestOption,
    kRtmr3Option,
    kMetadataServiceOption,
    kCollateralOption,
    kMetricsOption,
    kLogOption,
};
constexpr unsigned kRequestsPerConnection = 16;
constexpr int kConnectionMs = 30000;

constexpr Metric kRequests{"cstl_attester_requests_total", MetricKind::counter,
                           "Quotes and activations of the TPM, by result (an error code, or ok).", {"request", "result"}};
constexpr Metric kQuoteSeconds{"cstl_attester_quote_seconds", MetricKind::histogram, "How long a quote took, for all its sessions."};
constexpr Metric kSessions{"cstl_attester_sessions_total", MetricKind::counter, "Sessions that got evidence: several share a quote."};

void declare_requests(Metrics& metrics) {
  for (const char* request : {"quote", "activation"}) {
    metrics.declare(kRequests, {request, "ok"});
    metrics.declare(kRequests, {request, code_name(Code::tpm_failed)});
  }
  metrics.declare(kQuoteSeconds);
  metrics.declare(kSessions);
}

// What the TPM was asked for, and what came of it.
template <typename T>
Result<T> counted(Metrics& metrics, const char* request, Result<T> answer) {
  metrics.add(kRequests, {request, answer.ok() ? "ok" : code_name(answer.code())});
  return answer;
}

Result<LocalReply> reply(FrameType type, Bytes bytes) {
  SecretBuffer body(bytes.size());
  Writer w(body.space());
  w.bytes(bytes);
  TRY(w.finish());
  return LocalReply{type, std::move(body)};
}

// The binding is made here, for a server's side: nobody who asks here can answer as a client of another joinservice.
Result<LocalReply> attest(LocalAttester& issuer, Metrics& metrics, Bytes body) {
  TRY_LET(AttestRequest request, AttestRequest::decode(body));
  std::vector<Digest32> digests(request.count());
  for (size_t i = 0; i < digests.size(); ++i) {
    TRY_LET(digests[i], (Binding{TlsSide::server, request.session(i)}).digest());
  }
  const double began = monotonic_seconds();
  TRY_LET(EvidenceList evidence, counted(metrics, "quote", issuer.sign(digests, 1)));
  metrics.observe(kQuoteSeconds, monotonic_seconds() - began);
  metrics.add(kSessions, {}, static_cast<double>(digests.size()));
  return reply(FrameType::attest_response, evidence.front());
}

Result<LocalReply> activate(LocalAttester& issuer, Metrics& metrics, Bytes credential) {
  TRY_LET(std::vector<uint8_t> secret, counted(metrics, "activation", issuer.activate(credential)));
  auto answer = reply(FrameType::activate_response, secret);
  wipe(secret);
  return answer;
}

Status serve(const Arguments& arguments, Monitor& monitor) {
  TRY_LET(const Variant variant, variant_from_name(arguments.get("--variant")));
  PlatformPaths paths = platform_paths(arguments);
  paths.cluster_register = arguments.get("--cluster-register");
  PlatformDevices devices;
  devices.brokers = platform_brokers(paths);
  TRY_LET(std::unique_ptr<Platform> platform, Platform::open(variant, paths, std::move(devices)));
  TRY_LET(std::unique_ptr<LocalAttester> issuer, platform->attester());
  // Owner and group of the socket are exactly the two who may connect.
  TRY_LET(Fd listener, listen_local(arguments.get("--socket"), kJoinserviceUid, kVerificationserviceUid, 32));

  Metrics& metrics = monitor.metrics;
  declare_requests(metrics);
  LocalMetrics local(metrics);
  LocalServerConfig config;
  config.deadline_ms = kConnectionMs;
  config.admit = [](const LocalPeer& peer) { return peer.uid == kJoinserviceUid || peer.uid == kVerificationserviceUid; };
  config.on_refused = [&local](const LocalPeer& peer, const Error& error) {
    local.refused(error.code);
    log_error("request.refused", error, {{"uid", peer.uid}, {"pid", peer.pid}});
  };
  auto rule = [&](FrameType type, auto handler) {
    config.requests.push_back({type, kRequestsPerConnection, [handler](const LocalPeer&, Bytes body) { return handler(body); }});
  };
  rule(FrameType::attest_query, [variant](Bytes body) -> Result<LocalReply> {
    if (!body.empty()) return fail(Code::trailing, "attest.query");
    std::array<uint8_t, 1> space{};
    TRY_LET(Bytes info, AttestInfo{variant}.encode(space));
    return reply(FrameType::attest_info, info);
  });
  rule(FrameType::attest_request, [&](Bytes body) { return attest(*issuer, metrics, body); });
  rule(FrameType::activate_request, [&](Bytes body) { return activate(*issuer, metrics, body); });
  TRY_LET(std::unique_ptr<LocalServer> server, LocalServer::create(std::move(listener), std::move(config)));
  Loop loop;
  loop.add(*server);
  local.watch(*server);
  // Whoever started this one starts it again, and its report device with it.
  bool lost = false;
  if (platform->lifeline() >= 0) {
    loop.watch(platform->lifeline(), POLLIN, [&](short) {
      lost = true;
      loop.stop();
    });
  }

  TRY_LET(LockdownReport report, lock_down(kAttesterUid, kAttesterSeccomp, kAttesterLandlock, {}));
  monitor.serve(loop);
  log_info("service.ready", {{"socket", arguments.get("--socket")}, {"variant", variant_name(variant)},
                             {"metrics", monitor.endpoint()},
                             {"landlock", report.landlock_abi}});
  TRY(loop.run());
  return lost ? Status(fail(Code::tee_failed, "attester.report_device")) : success();
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) {
  return cstl::service_main(
      argc, argv,
      {"cstl-attester", "Holds this machine's TPM and makes evidence for its services.", cstl::kOptions, cstl::serve});
}
