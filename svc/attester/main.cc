// cstl-attester: holds this machine's TPM and makes evidence for the services of the machine, so that none of them has it.
#include "attest/tpm/issue.h"
#include "crypto/base/log.h"
#include "svc/run/local_metrics.h"
#include "svc/run/lockdown.h"
#include "svc/run/service.h"
#include "svc/wire/attester.h"

namespace cstl {
namespace {

constexpr std::initializer_list<Option> kOptions = {
    {"--socket", "PATH", "/run/cstl/attester/attester.sock", "unix socket to make, for uids 901 and 903"},
    {"--tpm", "DEVICE", "/dev/tpmrm0", "the TPM"},
    {"--variant", "VARIANT", "qemu-vtpm", "the attestation variant of this machine"},
    {"--event-log", "FILE", "/sys/kernel/security/tpm0/binary_bios_measurements", "firmware event log; '' for none"},
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
Result<LocalReply> attest(tpm::Issuer& issuer, Metrics& metrics, Bytes body) {
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

Result<LocalReply> activate(tpm::Issuer& issuer, Metrics& metrics, Bytes credential) {
  TRY_LET(std::vector<uint8_t> secret, counted(metrics, "activation", issuer.activate(credential)));
  auto answer = reply(FrameType::activate_response, secret);
  wipe(secret);
  return answer;
}

Status serve(const Arguments& arguments, Monitor& monitor) {
  tpm::IssueConfig issue;
  TRY_LET(issue.variant, variant_from_name(arguments.get("--variant")));
  issue.event_log = arguments.get("--event-log");
  TRY_LET(std::unique_ptr<tpm::Device> device, tpm::Device::open(arguments.get("--tpm")));
  TRY_LET(std::unique_ptr<tpm::Issuer> issuer, tpm::Issuer::create(*device, issue));
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
  rule(FrameType::attest_query, [variant = issue.variant](Bytes body) -> Result<LocalReply> {
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

  TRY_LET(LockdownReport report, lock_down(kAttesterUid, kAttesterSeccomp, kAttesterLandlock, {}));
  monitor.serve(loop);
  log_info("service.ready", {{"socket", arguments.get("--socket")}, {"variant", variant_name(issue.variant)},
                             {"metrics", monitor.endpoint()},
                             {"landlock", report.landlock_abi}});
  return loop.run();
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) {
  return cstl::service_main(
      argc, argv,
      {"cstl-attester", "Holds this machine's TPM and makes evidence for its services.", cstl::kOptions, cstl::serve});
}
