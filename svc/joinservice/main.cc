// cstl-joinservice: admits machines whose attestation passes, and gives each the key of its own disk.
#include <fcntl.h>

#include <ctime>

#include "attest/tpm/issue.h"
#include "crypto/base/log.h"
#include "svc/joinservice/join.h"
#include "svc/joinservice/keys.h"
#include "svc/joinservice/references.h"
#include "svc/run/lockdown.h"
#include "svc/run/server.h"
#include "svc/run/service.h"

namespace cstl {
namespace {

constexpr std::initializer_list<Option> kOptions = {
    {"--salt", "HEX", nullptr, "the cluster's measurement salt, 64 digits (public)"},
    {"--listen", "ADDRESS:PORT", "0.0.0.0:9090", "TCP endpoint to serve"},
    {"--store", "FOLDER", "/run/cstl/state/joinservice", "the store: reference-values.json, owner.key, nodes/"},
    {"--keyservice", "PATH", "/run/cstl/keyservice.sock", "the keyservice's unix socket"},
    {"--tpm", "DEVICE", "/dev/tpmrm0", "the TPM"},
    {"--variant", "VARIANT", "qemu-vtpm", "the attestation variant of this machine"},
    {"--event-log", "FILE", "/sys/kernel/security/tpm0/binary_bios_measurements", "firmware event log; '' for none"},
    {"--max-sessions", "N", "128", "open sessions at a time"},
};
constexpr int kReloadMs = 1000;

int64_t unix_seconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec;
}

class JoinService {
 public:
  JoinService(Store store, Keyservice keys, const P256Point& owner, const Digest32& salt)
      : store_(std::move(store)), keys_(std::move(keys)), owner_(owner), salt_(salt) {}

  // The record is saved before the ticket leaves: after a power cut between the two, the machine joins again.
  Status join(Exchange& exchange) {
    TRY_LET(JoinRequest request, JoinRequest::decode(exchange.body));
    TRY_LET(NodeRecord record, decide_join(request, exchange.session.peer_verdict(), store_, unix_seconds()));
    JoinTicket ticket;
    TRY_LET(ticket.disk_key, keys_.key(KeyClass::disk, uuid_text(record.disk)));
    TRY_LET(ticket.measurement_key, keys_.key(KeyClass::cluster_measurement, ""));
    ticket.measurement_salt = salt_;
    ticket.owner_key = owner_;
    TRY_LET(SecretBuffer body, ticket.encode());
    TRY(store_.save(record));
    TRY(exchange.session.send(FrameType::join_ticket, body.declassify()));
    log_node("node.joined", record);
    return success();
  }

  Status rejoin(Exchange& exchange) {
    TRY_LET(RejoinRequest request, RejoinRequest::decode(exchange.body));
    TRY_LET(NodeRecord record, decide_rejoin(request, exchange.session.peer_verdict(), store_));
    RejoinTicket ticket;
    TRY_LET(ticket.disk_key, keys_.key(KeyClass::disk, uuid_text(record.disk)));
    TRY_LET(ticket.measurement_key, keys_.key(KeyClass::cluster_measurement, ""));
    TRY_LET(SecretBuffer body, ticket.encode());
    TRY(exchange.session.send(FrameType::rejoin_ticket, body.declassify()));
    log_node("node.rejoined", record);
    return success();
  }

 private:
  static void log_node(const char* event, const NodeRecord& record) {
    log_info(event, {{"name", record.name}, {"role", role_name(record.role)}, {"disk", uuid_text(record.disk)},
                     {"identity", to_hex(record.identity)}, {"set", record.reference_set}});
  }

  Store store_;
  Keyservice keys_;
  P256Point owner_;
  Digest32 salt_;
};

Result<P256Point> read_owner_key(const std::string& path) {
  TRY_LET(std::vector<uint8_t> bytes, read_file(path.c_str(), 65));
  P256Point point{};
  if (bytes.size() != point.size() || bytes[0] != 4) return fail(Code::bad_key, "owner.key");
  std::copy(bytes.begin(), bytes.end(), point.begin());
  return point;
}

void log_end(const SessionEnd& end) {
  if (end.served && end.error.code == Code::closed) return;  // the request's own line says it
  std::string verdict = end.verdict != nullptr && !end.verdict->passed() ? end.verdict->summary() : "";
  log_error("session.failed", end.error, {{"peer", end.peer}, {"verdict", verdict}, {"says", end.peer_text}});
}

Status serve(const Arguments& arguments) {
  const std::string& folder = arguments.get("--store");
  Digest32 salt{};
  TRY(from_hex(arguments.get("--salt"), salt));
  TRY_LET(size_t max_sessions, arguments.number("--max-sessions", 1, 4096));

  tpm::IssueConfig issue;
  TRY_LET(issue.variant, variant_from_name(arguments.get("--variant")));
  issue.event_log = arguments.get("--event-log");
  TRY_LET(std::unique_ptr<tpm::Device> device, tpm::Device::open(arguments.get("--tpm")));
  TRY_LET(std::unique_ptr<tpm::Issuer> issuer, tpm::Issuer::create(*device, issue));
  QuoteBatch batch(*issuer);
  TRY_LET(std::unique_ptr<TlsIdentity> identity, TlsIdentity::create());
  TRY_LET(Fd listener, listen_tcp(arguments.get("--listen"), 128));

  // The store belongs to the service's user: root touches nothing inside of it.
  TRY_LET(LockdownReport report,
          lock_down(kJoinserviceUid, kJoinserviceSeccomp, kJoinserviceLandlock, {{"$state", folder.c_str()}}));

  std::vector<std::string> damaged;
  TRY_LET(Store store, Store::open(folder, &damaged));
  for (const std::string& name : damaged) log_warning("store.damaged", {{"file", name}});
  TRY_LET(P256Point owner, read_owner_key(folder + "/owner.key"));
  std::string problem;
  auto references = ReferenceFile::open(folder + "/reference-values.json", unix_seconds(), &problem);
  if (!references.ok()) {
    log_error("references.bad", references.error(), {{"problem", problem}});
    return references.error();
  }

  AppraisalPolicy policy;
  policy.values = &references->values();
  policy.cluster = ClusterRule::outside;
  policy.now = unix_seconds();
  size_t nodes = store.size();
  JoinService service(std::move(store), Keyservice(arguments.get("--keyservice")), owner, salt);

  ServerConfig config;
  config.identity = identity.get();
  config.attester = &batch;
  config.demand = &policy;
  config.max_sessions = max_sessions;
  config.request_ms = 10000;
  config.requests.push_back({FrameType::join_request, 1, [&service](Exchange& e) { return service.join(e); }});
  config.requests.push_back({FrameType::rejoin_request, 1, [&service](Exchange& e) { return service.rejoin(e); }});
  config.on_end = log_end;
  TRY_LET(std::unique_ptr<Server> server, Server::create(std::move(listener), std::move(config)));
  Loop loop;
  loop.add(*server);
  loop.every(kReloadMs, [&] {
    policy.now = unix_seconds();
    std::string place;
    auto changed = references->refresh(policy.now, &place);
    if (!changed.ok()) {
      log_error("references.rejected", changed.error(), {{"problem", place}});
    } else if (*changed) {
      log_info("references.loaded", {{"sets", static_cast<int64_t>(references->values().sets.size())}});
    }
  });
  log_info("service.ready", {{"listen", arguments.get("--listen")}, {"nodes", static_cast<int64_t>(nodes)},
                             {"sets", static_cast<int64_t>(references->values().sets.size())},
                             {"landlock", report.landlock_abi}});
  return loop.run();
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) {
  return cstl::service_main(
      argc, argv,
      {"cstl-joinservice", "Admits attested machines and gives each the key of its own disk.", cstl::kOptions, cstl::serve});
}
