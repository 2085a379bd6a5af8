// cstl-attester: holds this machine's TPM and makes evidence for the services of the machine, so that none of them has it.
#include "attest/tpm/issue.h"
#include "crypto/base/log.h"
#include "svc/run/local_server.h"
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
};
constexpr unsigned kRequestsPerConnection = 16;
constexpr int kConnectionMs = 30000;

Result<LocalReply> reply(FrameType type, Bytes bytes) {
  SecretBuffer body(bytes.size());
  Writer w(body.space());
  w.bytes(bytes);
  TRY(w.finish());
  return LocalReply{type, std::move(body)};
}

// The binding is made here, for a server's side: nobody who asks here can answer as a client of another joinservice.
Result<LocalReply> attest(tpm::Issuer& issuer, Bytes body) {
  TRY_LET(AttestRequest request, AttestRequest::decode(body));
  std::vector<Digest32> digests(request.count());
  for (size_t i = 0; i < digests.size(); ++i) {
    TRY_LET(digests[i], (Binding{TlsSide::server, request.session(i)}).digest());
  }
  TRY_LET(EvidenceList evidence, issuer.sign(digests, 1));
  return reply(FrameType::attest_response, evidence.front());
}

Result<LocalReply> activate(tpm::Issuer& issuer, Bytes credential) {
  TRY_LET(std::vector<uint8_t> secret, issuer.activate(credential));
  auto answer = reply(FrameType::activate_response, secret);
  wipe(secret);
  return answer;
}

Status serve(const Arguments& arguments) {
  tpm::IssueConfig issue;
  TRY_LET(issue.variant, variant_from_name(arguments.get("--variant")));
  issue.event_log = arguments.get("--event-log");
  TRY_LET(std::unique_ptr<tpm::Device> device, tpm::Device::open(arguments.get("--tpm")));
  TRY_LET(std::unique_ptr<tpm::Issuer> issuer, tpm::Issuer::create(*device, issue));
  // Owner and group of the socket are exactly the two who may connect.
  TRY_LET(Fd listener, listen_local(arguments.get("--socket"), kJoinserviceUid, kVerificationserviceUid, 32));

  LocalServerConfig config;
  config.deadline_ms = kConnectionMs;
  config.admit = [](const LocalPeer& peer) { return peer.uid == kJoinserviceUid || peer.uid == kVerificationserviceUid; };
  config.on_refused = [](const LocalPeer& peer, const Error& error) {
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
  rule(FrameType::attest_request, [&issuer](Bytes body) { return attest(*issuer, body); });
  rule(FrameType::activate_request, [&issuer](Bytes body) { return activate(*issuer, body); });
  TRY_LET(std::unique_ptr<LocalServer> server, LocalServer::create(std::move(listener), std::move(config)));
  Loop loop;
  loop.add(*server);

  TRY_LET(LockdownReport report, lock_down(kAttesterUid, kAttesterSeccomp, kAttesterLandlock, {}));
  log_info("service.ready", {{"socket", arguments.get("--socket")}, {"variant", variant_name(issue.variant)},
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
