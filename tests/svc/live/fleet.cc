#include "tests/svc/live/fleet.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "crypto/base/base64.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"
#include "svc/joinservice/desk.h"
#include "svc/run/lockdown.h"

namespace cstl::test {

namespace {
constexpr int kTimeoutMs = 40'000;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "fleet: %s\n", what.c_str());
  std::abort();
}

template <typename T>
T need(Result<T> result, const char* what) {
  if (!result.ok()) give_up(std::string(what) + ": " + code_name(result.code()) + " at " + result.error().site);
  return std::move(*result);
}

void need(Status status, const char* what) {
  if (!status.ok()) give_up(std::string(what) + ": " + code_name(status.code()) + " at " + status.error().site);
}

void write_public(const std::string& path, Bytes text) { need(write_file_durably(path.c_str(), text, 0644), path.c_str()); }

void write_for(uid_t uid, const std::string& path, Bytes text) {
  need(write_file_durably(path.c_str(), text), path.c_str());
  if (lchown(path.c_str(), uid, uid) != 0) give_up("chown " + path);
}

std::string text_of(const std::string& path) {
  std::vector<uint8_t> bytes = need(read_file(path.c_str(), 1 << 16), path.c_str());
  return std::string(Bytes(bytes).text());
}

uint16_t free_port() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("no free port");
  }
  return ntohs(address.sin_port);
}

ReferenceSet set_of(const char* id, const std::array<Digest32, kPcrCount>& pcrs, uint8_t roles) {
  ReferenceSet set;
  set.id = id;
  set.not_after = time(nullptr) + 86400;
  set.roles = roles;
  set.allow_unendorsed_ak = true;
  for (uint8_t index : std::initializer_list<uint8_t>{4, 9, 11, 12}) {
    PcrReference pcr;
    pcr.index = index;
    pcr.expected.push_back(pcrs[index]);
    set.pcrs.push_back(pcr);
  }
  return set;
}
constexpr uint8_t kWorker = 1 << static_cast<unsigned>(Role::worker);
constexpr uint8_t kControl = 1 << static_cast<unsigned>(Role::control_plane);
}  // namespace

struct Fleet::Tpm {
  std::unique_ptr<Swtpm> tpm = Swtpm::start();
  std::unique_ptr<tpm::Device> device;
  std::array<Digest32, kPcrCount> pcrs{};

  explicit Tpm(const std::string& image) {
    device = need(tpm::Device::open("unix:" + tpm->folder() + "/tpm"), "device");
    need(device->pcr_event(4, "image"), "pcr 4");
    need(device->pcr_event(9, image), "pcr 9");
    pcrs = need(device->read_pcrs(), "pcrs");
  }
};

JoinRequest FleetNode::request() const {
  JoinRequest out;
  out.disk = disk;
  out.role = role;
  out.name = name;
  out.address = address;
  out.csr = csr;
  out.wireguard_key = wireguard_key;
  return out;
}

Fleet& Fleet::get() {
  static std::unique_ptr<Fleet> fleet = std::make_unique<Fleet>();
  return *fleet;
}

Fleet::Fleet() : plane(ControlPlane::shared()) {
  if (geteuid() != 0) give_up("the services start as root");
  char pattern[] = "/tmp/cstl-fleet-XXXXXX";
  if (mkdtemp(pattern) == nullptr) give_up("no temporary folder");
  folder = pattern;
  chmod(folder.c_str(), 0755);
  for (const char* name : {"/cluster", "/references", "/pki", "/account", "/nodes"}) {
    need(make_folders(folder + name, 0755), name);
  }
  need(random_bytes(master.key.fill()), "random");
  need(random_bytes(master.salt.fill()), "random");
  need(random_bytes(salt), "random");
  owner = need(SigningKey::generate(), "owner").point();
  Key32 measurement = need(derive_key(master, KeyClass::cluster_measurement, ""), "key");
  cluster_id = need(derive_cluster_id(measurement, salt), "cluster id");

  // The images: control planes (the joinservice's own machine too) and workers.
  own_ = std::make_unique<Tpm>("control initrd");
  workers_ = std::make_unique<Tpm>("initrd");
  control_ = std::make_unique<Tpm>("control initrd");
  references.sets = {set_of("fleet-workers", workers_->pcrs, kWorker),
                     set_of("fleet-control", control_->pcrs, kWorker | kControl)};
  accepted.sets = {set_of("fleet-control", control_->pcrs, kControl)};
  need(own_->device->pcr_event(15, cluster_id), "pcr 15");
  own_->device.reset();

  SecretBuffer secret(64);
  Writer w(secret.space());
  w.bytes(master.key.declassify());
  w.bytes(master.salt.declassify());
  write_for(kKeyserviceUid, folder + "/master", secret.declassify());
  config = R"({"cstl":"cluster/1","name":"fleet","endpoint":"10.0.2.15:6443","sans":["127.0.0.1"],"service_cidr":"10.96.0.0/16","pod_cidr":"10.244.0.0/16"})";
  write_public(folder + "/cluster/cluster.json", config);
  write_public(folder + "/cluster/measurement-salt", to_hex(salt));
  write_public(folder + "/cluster/owner-key", to_hex(owner));
  auto ca = need(certificates_from_file(text_of(plane["ca"])), "ca");
  write_public(folder + "/cluster/ca-hash", to_hex(need(certificate_spki_hash(ca.front()), "ca hash")));
  write_public(folder + "/account/ca.crt", text_of(plane["ca"]));
  write_public(folder + "/references/reference-values.json", references.to_json());
  for (size_t i = 0; i < kPkiFiles; ++i) {
    auto file = static_cast<PkiFile>(i);
    write_for(kJoinserviceUid, folder + "/pki/" + pki_file_name(file), text_of(plane["pki"] + "/" + pki_file_path(file)));
  }

  // The joinservice comes with the account and the rights that its manifest gives it, and no more.
  for (const char* file : {"10-namespace.yaml", "20-cstlnodes.yaml", "50-joinservice.yaml"}) {
    plane.command("kubectl apply -f " + std::filesystem::absolute("policy/kubernetes").string() + "/" + file);
  }
  plane.command("kubectl wait --for condition=established --timeout=60s crd/cstlnodes.cstl.dev");
  admin_ = need(kubernetes::Client::create(kubernetes::Access::with_certificate(plane["server"], plane["ca"], plane["certificate"], plane["key"])), "client");
  for (int i = 0; i < 100 && !get("/apis/cstl.dev/v1alpha1/cstlnodes").ok(); ++i) usleep(100'000);
  write_for(kJoinserviceUid, folder + "/account/token", account_token());

  endpoint = "127.0.0.1:" + std::to_string(free_port());
  attester = std::make_unique<Service>("cstl-attester",
                                       monitored({"--socket", folder + "/attester.sock", "--tpm",
                                                  "unix:" + own_->tpm->folder() + "/tpm", "--event-log", ""}, 9194),
                                       folder + "/attester.log");
  keyservice = std::make_unique<Service>("cstl-keyservice",
                                         monitored({"--master", folder + "/master", "--socket", folder + "/keys.sock"}, 9192),
                                         folder + "/keyservice.log");
  start_joinservice();
}

Fleet::~Fleet() {
  for (auto* service : {&joinservice, &keyservice, &attester}) service->reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

std::unique_ptr<Service> Fleet::another_joinservice(const std::string& where, const std::string& log) {
  (void)unlink(log.c_str());
  auto out = std::make_unique<Service>(
      "cstl-joinservice",
      monitored({"--listen", where, "--store", "kubernetes", "--keyservice", folder + "/keys.sock", "--attester",
                 folder + "/attester.sock", "--cluster", folder + "/cluster", "--references",
                 folder + "/references/reference-values.json", "--pki", folder + "/pki", "--max-sessions", "512", "--api",
                 plane["server"], "--api-ca", folder + "/account/ca.crt", "--api-token", folder + "/account/token"}, 9190),
      log);
  if (!out->logs("store.synced")) {
    give_up("the joinservice does not reach the API server (status " + std::to_string(out->wait_status()) + "):\n" + out->log());
  }
  return out;
}

// Of the service account cstl-joinservice, as clusters before 1.24 make it by themselves.
std::string Fleet::account_token() {
  for (int i = 0; i < 300; ++i, usleep(100'000)) {
    auto secrets = get("/api/v1/namespaces/cstl-system/secrets");
    if (!secrets.ok()) continue;
    for (const auto& secret : (*secrets)["items"]) {
      std::string name = secret["metadata"]["name"].get<std::string>();
      if (name.compare(0, 22, "cstl-joinservice-token") != 0 || !secret["data"].contains("token")) continue;
      auto token = need(from_base64(secret["data"]["token"].get<std::string>(), 8192), "token");
      return std::string(Bytes(token).text());
    }
  }
  give_up("the service account has no token");
}

void Fleet::start_joinservice() {
  joinservice.reset();
  joinservice = another_joinservice(endpoint, folder + "/joinservice.log");
}

FleetNode Fleet::node(Role image) {
  const unsigned number = next_++;
  FleetNode out;
  out.role = image;
  out.name = (image == Role::worker ? "worker-" : "control-") + std::to_string(number);
  out.address = "10.1." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
  need(random_bytes(out.disk), "disk");
  need(random_bytes(out.wireguard_key), "key");
  Tpm& tpm = image == Role::worker ? *workers_ : *control_;
  out.ak = PooledAk::create(*tpm.device, "fleet-" + std::to_string(number));
  out.identity = need(TlsIdentity::create(), "identity");
  out.key_file = folder + "/nodes/" + out.name + ".key";
  if (!run({"openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", out.key_file})) give_up("openssl");
  out.csr = csr(out, "/O=system:nodes/CN=system:node:" + out.name);
  return out;
}

std::vector<uint8_t> Fleet::csr(const FleetNode& node, const std::string& subject, std::vector<std::string> more) {
  const std::string file = folder + "/nodes/" + node.name + ".csr";
  std::vector<std::string> argv = {"openssl", "req", "-new", "-sha256", "-outform", "DER", "-key", node.key_file, "-subj", subject, "-out", file};
  argv.insert(argv.end(), more.begin(), more.end());
  if (!run(argv)) give_up("openssl req");
  return need(read_file(file.c_str(), 8192), "csr");
}

namespace {
struct Visit {
  AppraisalPolicy policy;
  std::unique_ptr<QuoteBatch> batch;
  std::unique_ptr<Session> session;
};

Status visit(const Fleet& fleet, const FleetNode& node, const std::string& endpoint, Visit* out) {
  out->policy.values = &fleet.accepted;
  out->policy.cluster = ClusterRule::inside;
  out->policy.now = time(nullptr);
  out->batch = std::make_unique<QuoteBatch>(*node.ak);
  SessionConfig config;
  config.identity = node.identity.get();
  config.demand = &out->policy;
  config.attester = out->batch.get();
  config.require_attesting = true;
  config.request_ms = kTimeoutMs;
  TRY_LET(Fd fd, connect_tcp(endpoint, kTimeoutMs));
  TRY_LET(out->session, Session::create(std::move(fd), config));
  return drive_to_open(*out->session, out->batch.get());
}

FleetAnswer failed(const Error& error, const Visit& visit) {
  FleetAnswer out;
  out.error = error;
  if (error.code == Code::peer_error || error.code == Code::peer_refused) {
    out.code = code_from_number(static_cast<uint16_t>(error.foreign));
  }
  if (visit.session) out.why = visit.session->peer_text();
  return out;
}

Result<SecretBuffer> exchange(Session& session, FrameType request, Bytes body, FrameType answer) {
  TRY(session.send(request, body));
  TRY(drive_to_drained(session));
  TRY_LET(Frame frame, drive_to_frame(session, answer));
  return std::move(frame.body);
}
}  // namespace

FleetAnswer Fleet::join(const FleetNode& node) { return join(node, node.request()); }

FleetAnswer Fleet::join(const FleetNode& node, const JoinRequest& request, const std::string& where) {
  Visit visitor;
  std::array<uint8_t, kMaxJoinRequest> space{};
  auto body = request.encode(space);
  if (!body.ok()) return failed(body.error(), visitor);
  if (Status open = visit(*this, node, where.empty() ? endpoint : where, &visitor); !open.ok()) return failed(open.error(), visitor);
  auto answer = exchange(*visitor.session, FrameType::join_request, *body, FrameType::join_ticket);
  if (!answer.ok()) return failed(answer.error(), visitor);
  FleetAnswer out;
  out.error.code = Code::ok;
  out.body = std::move(*answer);
  auto ticket = JoinTicket::decode(out.body.declassify());
  if (!ticket.ok()) return failed(ticket.error(), visitor);
  out.ticket = std::move(*ticket);
  return out;
}

FleetAnswer Fleet::rejoin(const FleetNode& node, const Uuid& disk) {
  Visit visitor;
  RejoinRequest request;
  request.disk = disk;
  std::array<uint8_t, 32> space{};
  Bytes body = need(request.encode(space), "rejoin");
  if (Status open = visit(*this, node, endpoint, &visitor); !open.ok()) return failed(open.error(), visitor);
  auto answer = exchange(*visitor.session, FrameType::rejoin_request, body, FrameType::rejoin_ticket);
  if (!answer.ok()) return failed(answer.error(), visitor);
  FleetAnswer out;
  out.error.code = Code::ok;
  auto ticket = RejoinTicket::decode(answer->declassify());
  if (!ticket.ok()) return failed(ticket.error(), visitor);
  out.ticket.disk_key = std::move(ticket->disk_key);
  out.ticket.measurement_key = std::move(ticket->measurement_key);
  return out;
}

Code Fleet::send(const FleetNode& node, FrameType type, Bytes body) {
  Visit visitor;
  Status open = visit(*this, node, endpoint, &visitor);
  if (!open.ok()) return open.code();
  Status sent = visitor.session->send(type, body);
  if (!sent.ok()) return sent.code();
  (void)drive_to_drained(*visitor.session);  // the answer says how it went
  auto frame = drive_to_any_frame(*visitor.session);
  if (frame.ok()) return Code::ok;
  FleetAnswer answer = failed(frame.error(), visitor);
  return answer.code != Code::ok ? answer.code : frame.code();
}

Result<nlohmann::json> Fleet::get(const std::string& path) {
  return admin_->wait([&](kubernetes::Answer done) { admin_->get(path, std::move(done)); });
}

std::unique_ptr<kubernetes::Client> Fleet::as_node(const FleetNode& node, const FleetAnswer& answer) {
  const std::string certificate = folder + "/nodes/" + node.name + ".crt";
  write_public(certificate, answer.ticket.kubernetes->certificate);
  return need(kubernetes::Client::create(kubernetes::Access::with_certificate(plane["server"], plane["ca"], certificate, node.key_file)), "node client");
}

std::unique_ptr<kubernetes::Client> Fleet::as_token(const std::string& token) {
  const std::string file = folder + "/nodes/token";
  write_public(file, token);
  return need(kubernetes::Client::create(kubernetes::Access::with_token(plane["server"], plane["ca"], file)), "token client");
}

}  // namespace cstl::test
