// cstl-joinservice: admits machines whose attestation passes, and gives each the keys, the token and the certificate of
// its own node and nothing else. Line mode keeps its records in files; `--store kubernetes` keeps them in the cluster.
#include <fcntl.h>

#include <ctime>

#include "crypto/base/log.h"
#include "crypto/fast_verify.h"
#include "svc/attester/client.h"
#include "svc/joinservice/desk.h"
#include "svc/joinservice/file_store.h"
#include "svc/joinservice/join_metrics.h"
#include "svc/joinservice/references.h"
#include "svc/kubernetes/api_metrics.h"
#include "svc/run/lockdown.h"
#include "svc/run/service.h"
#include "svc/run/session_metrics.h"

namespace cstl {
namespace {

constexpr const char* kKubernetes = "kubernetes";   // as --store
constexpr std::initializer_list<Option> kOptions = {
    {"--listen", "ADDRESS:PORT", "0.0.0.0:9090", "TCP endpoint to serve"},
    {"--store", "FOLDER", "/run/cstl/state/joinservice",
     "the file store: reference-values.json, owner.key, nodes/; or 'kubernetes'"},
    {"--salt", "HEX", "", "file store: the cluster's measurement salt, 64 digits (public)"},
    {"--keyservice", "PATH", "/run/cstl/keyservice/keyservice.sock", "the keyservice's unix socket"},
    {"--attester", "PATH", "/run/cstl/attester/attester.sock", "the attester's unix socket"},
    {"--max-sessions", "N", "128", "open sessions at a time"},
    {"--cluster", "FOLDER", "/etc/cstl/cluster", "kubernetes: cluster.json, measurement-salt, owner-key, ca-hash"},
    {"--references", "FILE", "/etc/cstl/reference-values/reference-values.json", "kubernetes: what machines must match"},
    {"--reference-trust", "FILE", "", "who must sign what machines must match; '': nobody"},
    {"--pki", "FOLDER", "/etc/cstl/pki", "kubernetes: ca.crt, ca.key, … for control planes"},
    {"--api", "URL", "", "kubernetes: the API server; '' for the service account of this pod"},
    {"--address", "ADDRESS", "", "kubernetes, without --api: this node's, whose API server is asked before the Service"},
    {"--api-ca", "FILE", "", "kubernetes, with --api: PEM of the cluster's CA"},
    {"--api-certificate", "FILE", "", "kubernetes, with --api: PEM of a client certificate"},
    {"--api-key", "FILE", "", "kubernetes, with --api: PEM of its key"},
    {"--api-token", "FILE", "", "kubernetes, with --api: a bearer token instead"},
    kMetricsOption,
    kLogOption,
};
constexpr int kReloadMs = 1000;
constexpr int kFactsMs = 10'000;
constexpr int kAttesterMs = 20'000;     // it may be starting, too
constexpr int kLineRequestMs = 10'000;
constexpr size_t kMaxCa = 8192;

int64_t unix_seconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec;
}

const char* event_of(FrameType request) { return request == FrameType::join_request ? "node.joined" : "node.rejoined"; }

void log_node(FrameType request, const NodeRecord& record) {
  log_info(event_of(request), {{"name", record.name}, {"role", role_name(record.role)}, {"disk", uuid_text(record.disk)},
                               {"identity", to_hex(record.identity)}, {"set", record.reference_set}});
}

void log_end(const SessionEnd& end) {
  if (end.served && end.error.code == Code::closed) return;  // the request's own line says it
  std::string verdict = end.verdict != nullptr && !end.verdict->passed() ? end.verdict->summary() : "";
  log_error("session.failed", end.error, {{"peer", end.peer}, {"verdict", verdict}, {"says", end.peer_text}});
}

// What both modes share: evidence, reference values, the listener, the loop.
struct Frontend {
  explicit Frontend(Monitor& m) : monitor(m), sessions(m.metrics, true), joins(m.metrics) {}

  Monitor& monitor;
  SessionMetrics sessions;
  JoinMetrics joins;
  std::unique_ptr<TlsIdentity> identity;
  Fd listener;
  std::unique_ptr<SocketAttester> attester;
  std::unique_ptr<QuoteBatch> batch;
  std::optional<TrustPolicy> trust;
  std::optional<ReferenceFile> references;
  AppraisalPolicy policy;
  std::unique_ptr<Server> server;
  Loop loop;

  // Before the process is confined.
  Status open(const Arguments& arguments) {
    TRY_LET(identity, TlsIdentity::create());
    TRY_LET(listener, listen_tcp(arguments.get("--listen"), 128));
    return load_trust(arguments.get("--reference-trust"));
  }

  // Whoever may replace the reference values must not be able to replace this, too: it is read once.
  Status load_trust(const std::string& path) {
    if (path.empty()) return success();
    TRY_LET(std::vector<uint8_t> text, read_file(path.c_str(), kMaxTrustPolicy));
    std::string problem;
    auto parsed = TrustPolicy::parse(Bytes(text).text(), &problem);
    if (!parsed.ok()) {
      log_error("trust.bad", parsed.error(), {{"problem", problem}});
      return parsed.error();
    }
    trust = std::move(*parsed);
    return success();
  }

  // After it: the attester knows the service's user and nobody else.
  // `memory`: file of the newest version that counted; empty: only this process remembers.
  Status prepare(const Arguments& arguments, const std::string& reference_file, const std::string& memory = {}) {
    TRY_LET(attester, SocketAttester::create(arguments.get("--attester"), kAttesterMs));
    batch = std::make_unique<QuoteBatch>(*attester);
    sessions.watch(*batch);
    std::string problem;
    const ReferenceMemory seen =
        trust && !memory.empty() ? memory_in_file(memory, trust->name) : ReferenceMemory();
    auto file = ReferenceFile::open(reference_file, std::move(trust), unix_seconds(), &problem, seen);
    if (!file.ok()) {
      log_error("references.bad", file.error(), {{"problem", problem}});
      return file.error();
    }
    references = std::move(*file);
    joins.reloaded(true, references->values());
    policy.values = &references->values();
    policy.cluster = ClusterRule::outside;
    policy.now = unix_seconds();
    loop.every(kReloadMs, [this] { reload(); });
    return success();
  }

  void reload() {
    policy.now = unix_seconds();
    std::string place;
    auto changed = references->refresh(policy.now, &place);
    if (!changed.ok()) {
      joins.reloaded(false, references->values());
      log_error("references.rejected", changed.error(), {{"problem", place}});
    } else if (*changed) {
      joins.reloaded(true, references->values());
      log_info("references.loaded", {{"sets", static_cast<int64_t>(references->values().sets.size())}});
    }
  }

  Status listen(const Arguments& arguments, int request_ms, std::vector<RequestRule> requests) {
    ServerConfig config;
    config.identity = identity.get();
    config.attester = batch.get();
    config.demand = &policy;
    TRY_LET(config.max_sessions, arguments.number("--max-sessions", 1, 4096));
    config.request_ms = request_ms;
    config.requests = std::move(requests);
    config.on_end = [this](const SessionEnd& end) {
      sessions.ended(end);
      log_end(end);
    };
    TRY_LET(server, Server::create(std::move(listener), std::move(config)));
    sessions.watch(*server);
    loop.add(*server);
    return success();
  }

  Status run(const Arguments& arguments, size_t nodes, const LockdownReport& report,
             std::function<const char*()> not_ready = {}) {
    monitor.serve(loop, std::move(not_ready));
    log_info("service.ready", {{"listen", arguments.get("--listen")}, {"nodes", static_cast<int64_t>(nodes)},
                               {"sets", static_cast<int64_t>(references->values().sets.size())},
                               {"metrics", monitor.endpoint()}, {"landlock", report.landlock_abi}});
    return loop.run();
  }
};

// --- line mode ---

class LineDesk {
 public:
  LineDesk(FileStore store, Keyservice keys, const P256Point& owner, const Digest32& salt, JoinMetrics& metrics)
      : store_(std::move(store)), keys_(std::move(keys)), owner_(owner), salt_(salt), metrics_(metrics) {}

  Status join(Exchange& exchange) { return counted(FrameType::join_request, admit(exchange)); }
  Status rejoin(Exchange& exchange) { return counted(FrameType::rejoin_request, readmit(exchange)); }
  const Nodes& nodes() const { return store_.nodes(); }

 private:
  Status counted(FrameType request, Status status) {
    metrics_.answered(request, status.code());
    return status;
  }

  // The record is saved before the ticket leaves: after a power cut between the two, the machine joins again.
  Status admit(Exchange& exchange) {
    TRY_LET(JoinRequest request, JoinRequest::decode(exchange.body));
    TRY_LET(NodeRecord record, decide_join(request, exchange.session.peer_verdict(), store_.nodes(), nullptr,
                                           unix_seconds(), nullptr));
    JoinTicket ticket;
    TRY_LET(ticket.disk_key, keys_.key(KeyClass::disk, uuid_text(record.disk)));
    TRY_LET(ticket.measurement_key, keys_.key(KeyClass::cluster_measurement, ""));
    ticket.measurement_salt = salt_;
    ticket.owner_key = owner_;
    TRY_LET(SecretBuffer body, ticket.encode());
    TRY(store_.save(record));
    TRY(exchange.session.send(FrameType::join_ticket, body.declassify()));
    log_node(FrameType::join_request, record);
    return success();
  }

  Status readmit(Exchange& exchange) {
    TRY_LET(RejoinRequest request, RejoinRequest::decode(exchange.body));
    TRY_LET(NodeRecord record, decide_rejoin(request, exchange.session.peer_verdict(), store_.nodes()));
    RejoinTicket ticket;
    TRY_LET(ticket.disk_key, keys_.key(KeyClass::disk, uuid_text(record.disk)));
    TRY_LET(ticket.measurement_key, keys_.key(KeyClass::cluster_measurement, ""));
    TRY_LET(SecretBuffer body, ticket.encode());
    TRY(exchange.session.send(FrameType::rejoin_ticket, body.declassify()));
    log_node(FrameType::rejoin_request, record);
    return success();
  }

  FileStore store_;
  Keyservice keys_;
  P256Point owner_;
  Digest32 salt_;
  JoinMetrics& metrics_;
};

Result<P256Point> read_owner_key(const std::string& path) {
  TRY_LET(std::vector<uint8_t> bytes, read_file(path.c_str(), 65));
  P256Point point{};
  if (bytes.size() != point.size() || bytes[0] != 4) return fail(Code::bad_key, "owner.key");
  std::copy(bytes.begin(), bytes.end(), point.begin());
  return point;
}

Status serve_line(const Arguments& arguments, Monitor& monitor) {
  const std::string& folder = arguments.get("--store");
  Digest32 salt{};
  TRY(from_hex(arguments.get("--salt"), salt));
  Frontend front(monitor);
  TRY(front.open(arguments));
  // The store belongs to the service's user: root touches nothing inside of it.
  TRY_LET(LockdownReport report,
          lock_down(kJoinserviceUid, kJoinserviceSeccomp, kJoinserviceLandlock, {{"$state", folder.c_str()}}));

  std::vector<std::string> damaged;
  TRY_LET(FileStore store, FileStore::open(folder, &damaged));
  for (const std::string& name : damaged) {
    front.joins.damaged();
    log_warning("store.damaged", {{"file", name}});
  }
  TRY_LET(P256Point owner, read_owner_key(folder + "/owner.key"));
  TRY(front.prepare(arguments, folder + "/reference-values.json", folder + "/reference-seen.json"));
  LineDesk desk(std::move(store), Keyservice(arguments.get("--keyservice")), owner, salt, front.joins);
  monitor.metrics.before_text([&] { front.joins.records(desk.nodes().size(), true, 0); });
  TRY(front.listen(arguments, kLineRequestMs,
                   {{FrameType::join_request, 1, [&desk](Exchange& e) { return desk.join(e); }},
                    {FrameType::rejoin_request, 1, [&desk](Exchange& e) { return desk.rejoin(e); }}}));
  return front.run(arguments, desk.nodes().size(), report);
}

// --- Kubernetes ---

void log_problem(const char* what, const Error& error, const std::string& problem) {
  log_error("api.failed", error, {{"request", what}, {"says", problem}});
}

void log_job(FrameType request, const NodeRecord* record, const Error& error, const std::string& node,
             const std::string& why) {
  if (record != nullptr) return log_node(request, *record);
  log_error(request == FrameType::join_request ? "node.refused" : "node.rejoin_refused", error, {{"name", node}, {"why", why}});
}

StoreHooks store_hooks(JoinMetrics& metrics) {
  StoreHooks hooks;
  hooks.on_damaged = [&metrics](const std::string& name, const Error& error) {
    metrics.damaged();
    log_error("store.damaged", error, {{"node", name}});
  };
  hooks.on_problem = log_problem;
  hooks.on_synced = [](size_t nodes) { log_info("store.synced", {{"nodes", static_cast<int64_t>(nodes)}}); };
  return hooks;
}

CertificateHooks certificate_hooks(JoinMetrics& metrics) {
  CertificateHooks hooks;
  hooks.on_serving_approved = [&metrics](const std::string& node, const std::string& request) {
    metrics.certificate(true);
    log_info("certificate.approved", {{"node", node}, {"request", request}});
  };
  hooks.on_serving_left = [&metrics](const std::string& request, const std::string& requester, const Error& error) {
    metrics.certificate(false);
    log_error("certificate.left", error, {{"requester", requester}, {"request", request}});
  };
  hooks.on_problem = log_problem;
  return hooks;
}

Result<kubernetes::Access> access_of(const Arguments& arguments) {
  if (arguments.get("--api").empty()) {
    TRY_LET(kubernetes::Access access, kubernetes::Access::in_cluster());
    // On a new node the Service has no address before kube-proxy has written its rules.
    if (!arguments.get("--address").empty()) TRY(access.prefer_node(arguments.get("--address")));
    return access;
  }
  if (!arguments.get("--api-token").empty()) {
    return kubernetes::Access::with_token(arguments.get("--api"), arguments.get("--api-ca"), arguments.get("--api-token"));
  }
  return kubernetes::Access::with_certificate(arguments.get("--api"), arguments.get("--api-ca"),
                                              arguments.get("--api-certificate"), arguments.get("--api-key"));
}

std::string folder_of(const std::string& file) {
  size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
}

Status serve_kubernetes(const Arguments& arguments, Monitor& monitor) {
  Frontend front(monitor);
  TRY(front.open(arguments));
  TRY_LET(kubernetes::Access access, access_of(arguments));
  TRY_LET(std::vector<uint8_t> ca, read_file(access.ca_file.c_str(), kMaxCa));
  const std::string account = folder_of(access.token_file.empty() ? access.ca_file : access.token_file);
  TRY_LET(std::unique_ptr<kubernetes::Client> client, kubernetes::Client::create(std::move(access)));
  const std::string references = folder_of(arguments.get("--references"));
  TRY_LET(LockdownReport report,
          lock_down(kJoinserviceUid, kJoinserviceKubernetesSeccomp, kJoinserviceKubernetesLandlock,
                    {{"$cluster", arguments.get("--cluster").c_str()}, {"$references", references.c_str()},
                     {"$pki", arguments.get("--pki").c_str()}, {"$account", account.c_str()}}, Tcp::connect));

  std::string problem;
  auto facts = ClusterFacts::read(arguments.get("--cluster"), &problem);
  if (!facts.ok()) {
    log_error("cluster.bad", facts.error(), {{"problem", problem}});
    return facts.error();
  }
  TRY(front.prepare(arguments, arguments.get("--references")));
  Loop& loop = front.loop;
  loop.add(*client);
  kubernetes::count_requests(*client, monitor.metrics);
  KubernetesStore store(*client, loop, store_hooks(front.joins));
  Certificates certificates(*client, loop, store.nodes(), certificate_hooks(front.joins));
  ControlPlaneLock lock(*client, loop);
  Keyservice keys(arguments.get("--keyservice"));
  JoinDesk::Parts parts{client.get(), &loop, &store, &certificates, &lock, &*facts, &keys,
                        std::string(Bytes(ca).text()), arguments.get("--pki")};
  DeskHooks hooks;
  hooks.on_end = [&front](FrameType request, const NodeRecord* record, const Error& error, const std::string& node,
                          const std::string& why) {
    front.joins.answered(request, record != nullptr ? Code::ok : error.code);
    log_job(request, record, error, node, why);
  };
  hooks.on_problem = log_problem;
  JoinDesk desk(std::move(parts), std::move(hooks));
  monitor.metrics.before_text([&] { front.joins.records(store.nodes().size(), store.synced(), desk.jobs()); });
  TRY(front.listen(arguments, kJobMs + 5000,
                   {{FrameType::join_request, 1, [&desk](Exchange& e) { return desk.join(e); }},
                    {FrameType::rejoin_request, 1, [&desk](Exchange& e) { return desk.rejoin(e); }}}));
  desk.serve_with(*front.server);
  store.start();
  certificates.start();
  loop.every(kFactsMs, [&] {
    std::string place;
    auto again = ClusterFacts::read(arguments.get("--cluster"), &place);
    if (again.ok()) {
      *facts = std::move(*again);
    } else {
      log_error("cluster.rejected", again.error(), {{"problem", place}});
    }
  });
  return front.run(arguments, 0, report,
                   [&store] { return store.synced() ? nullptr : "the cluster's records were not read yet"; });
}

Status serve(const Arguments& arguments, Monitor& monitor) {
  return arguments.get("--store") == kKubernetes ? serve_kubernetes(arguments, monitor) : serve_line(arguments, monitor);
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) {
  cstl::FastVerification fast;  // many machines join at once
  return cstl::service_main(argc, argv,
                            {"cstl-joinservice", "Admits attested machines and gives each the keys of its own node.",
                             cstl::kOptions, cstl::serve, cstl::kJoinserviceUid});
}
