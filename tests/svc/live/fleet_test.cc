// The joinservice in Kubernetes, over the wire: shipped services, real evidence, a real API server.
#include "tests/svc/live/fleet.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "crypto/base/base64.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"
#include "svc/joinservice/control_lock.h"
#include "svc/joinservice/csr.h"
#include "svc/joinservice/node_object.h"
#include "svc/run/lockdown.h"

namespace cstl {
namespace {

using test::Fleet;
using test::FleetAnswer;
using test::FleetNode;
using Json = nlohmann::json;

std::string node_path(const std::string& name) { return std::string(kNodesPath) + "/" + name; }

bool key_of(const Key32& key, KeyClass key_class, const std::string& id) {
  auto derived = derive_key(Fleet::get().master, key_class, id);
  return derived.ok() && ct_equal(derived->declassify(), key.declassify());
}

Result<Json> wait(kubernetes::Client& client, const std::function<void(kubernetes::Answer)>& start) { return client.wait(start); }

TEST_CASE("a worker's first join: keys of its own, a token, a certificate for its key, and a record") {
  Fleet& fleet = Fleet::get();
  FleetNode node = fleet.node(Role::worker);
  FleetAnswer answer = fleet.join(node);
  INFO(answer.why);
  REQUIRE(answer.ok());
  CHECK(key_of(answer.ticket.disk_key, KeyClass::disk, uuid_text(node.disk)));
  CHECK(*derive_cluster_id(answer.ticket.measurement_key, answer.ticket.measurement_salt) == fleet.cluster_id);
  CHECK(answer.ticket.owner_key == fleet.owner);
  REQUIRE(answer.ticket.kubernetes);
  const KubernetesTicket& ticket = *answer.ticket.kubernetes;
  CHECK(equal(ticket.cluster, fleet.config));
  CHECK(equal(ticket.endpoint, "10.0.2.15:6443"));
  CHECK_FALSE(ticket.control_plane.has_value());

  auto request = parse_certificate_request(node.csr);
  auto chain = certificates_from_file(ticket.certificate);
  REQUIRE(request.ok());
  REQUIRE(chain.ok());
  CHECK(equal(certificate_key(chain->front())->point, request->key));
  auto own = fleet.as_node(node, answer);
  // The node authorizer lets it look at its own Node, which is not there yet, and at no other's pods or secrets.
  CHECK(wait(*own, [&](auto done) { own->get("/api/v1/nodes/" + node.name, done); }).code() == Code::api_not_found);
  CHECK(wait(*own, [&](auto done) { own->get("/api/v1/namespaces/kube-system/secrets", done); }).code() == Code::api_denied);

  std::string token(ticket.token.text());
  REQUIRE(token.size() == 23);
  auto secret = fleet.get("/api/v1/namespaces/kube-system/secrets/bootstrap-token-" + token.substr(0, 6));
  REQUIRE(secret.ok());
  CHECK((*secret)["type"] == "bootstrap.kubernetes.io/token");

  auto object = fleet.get(node_path(node.name));
  REQUIRE(object.ok());
  auto record = record_of_object(*object);
  REQUIRE(record.ok());
  CHECK(record->disk == node.disk);
  CHECK(record->address == node.address);
  CHECK(record->wireguard_key == node.wireguard_key);
  CHECK(record->reference_set == "fleet-workers");
  bool attested = false;
  for (int i = 0; i < 50 && !attested; ++i, usleep(100'000)) {
    attested = fleet.get(node_path(node.name))->contains("status");
  }
  CHECK(attested);
  CHECK(fleet.joinservice->logs(node.name));
}

TEST_CASE("a join may be repeated; the node rejoins, and a record that was removed is gone at once") {
  Fleet& fleet = Fleet::get();
  FleetNode node = fleet.node(Role::worker);
  REQUIRE(fleet.join(node).ok());
  FleetAnswer again = fleet.join(node);
  INFO(again.why);
  REQUIRE(again.ok());
  FleetAnswer rejoined = fleet.rejoin(node, node.disk);
  REQUIRE(rejoined.ok());
  CHECK(key_of(rejoined.ticket.disk_key, KeyClass::disk, uuid_text(node.disk)));
  // A fresh disk: the old one's key is given to nobody any more.
  const Uuid old = node.disk;
  REQUIRE(random_bytes(node.disk).ok());
  REQUIRE(fleet.join(node).ok());
  CHECK(fleet.rejoin(node, old).code == Code::unknown_node);
  REQUIRE(fleet.rejoin(node, node.disk).ok());
  REQUIRE(fleet.api().wait([&](auto done) { fleet.api().remove(node_path(node.name), done); }).ok());
  CHECK(fleet.rejoin(node, node.disk).code == Code::unknown_node);
  CHECK(fleet.join(node).ok());
}

TEST_CASE("a name, a disk, an address, a WireGuard key has one node; the refusal says whose") {
  Fleet& fleet = Fleet::get();
  FleetNode first = fleet.node(Role::worker);
  REQUIRE(fleet.join(first).ok());
  struct Row {
    const char* what;
    std::function<void(FleetNode&)> change;
    Code code;
    const char* why;
  };
  const Row rows[] = {
      {"its name", [&](FleetNode& n) { n.name = first.name; n.csr = fleet.csr(n, "/O=system:nodes/CN=system:node:" + n.name); }, Code::name_taken, "kubectl delete cstlnode"},
      {"its disk", [&](FleetNode& n) { n.disk = first.disk; }, Code::disk_taken, ""},
      {"its address", [&](FleetNode& n) { n.address = first.address; }, Code::address_taken, "belongs to the node"},
      {"its WireGuard key", [&](FleetNode& n) { n.wireguard_key = first.wireguard_key; }, Code::key_taken, "belongs to the node"},
      {"the API server's name", [&](FleetNode& n) { n.name = "kubernetes"; }, Code::name_taken, "API server"},
      {"the API server's address", [&](FleetNode& n) { n.address = "10.0.2.15"; }, Code::address_taken, ""},
      {"no address", [&](FleetNode& n) { n.address = ""; }, Code::bad_value, "address"},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.what));
    FleetNode node = fleet.node(Role::worker);
    row.change(node);
    FleetAnswer answer = fleet.join(node);
    CHECK(answer.code == row.code);
    CHECK(answer.why.find(row.why) != std::string::npos);
  }
  // The machine itself under another name or in another role.
  JoinRequest request = first.request();
  request.name = "renamed-0";
  FleetAnswer renamed = fleet.join(first, request);
  CHECK(renamed.code == Code::node_differs);
  CHECK(renamed.why.find(first.name) != std::string::npos);
}

TEST_CASE("an object that cannot be read blocks its name and its disk until it is repaired") {
  Fleet& fleet = Fleet::get();
  FleetNode node = fleet.node(Role::worker);
  REQUIRE(fleet.join(node).ok());
  Json object = *fleet.get(node_path(node.name));
  auto patch = [&](const char* member, const char* value) {
    return fleet.api().wait([&](auto done) { fleet.api().merge_patch(node_path(node.name), {{"spec", {{member, value}}}}, done); });
  };
  CHECK_FALSE(patch("role", "admin").ok());              // what the schema knows, it refuses
  REQUIRE(patch("variant", "none").ok());
  CHECK(fleet.joinservice->logs("store.damaged"));
  CHECK(fleet.rejoin(node, node.disk).code == Code::record_malformed);
  CHECK(fleet.join(node).code == Code::record_malformed);
  FleetNode other = fleet.node(Role::worker);
  other.disk = node.disk;
  CHECK(fleet.join(other).code == Code::record_malformed);
  REQUIRE(patch("variant", "qemu-vtpm").ok());
  usleep(500'000);
  CHECK(fleet.rejoin(node, node.disk).ok());
}

TEST_CASE("two joinservices never give one disk to two machines") {
  Fleet& fleet = Fleet::get();
  const std::string endpoint = "127.0.0.1:19390";
  auto second = fleet.another_joinservice(endpoint, fleet.folder + "/second.log");
  for (int round = 0; round < 4; ++round) {
    FleetNode a = fleet.node(Role::worker), b = fleet.node(Role::control_plane);
    b.role = Role::worker;   // the other TPM, so that both can sign at once
    b.disk = a.disk;
    FleetAnswer first, other;
    std::thread there([&] { other = fleet.join(b, b.request(), endpoint); });
    first = fleet.join(a);
    there.join();
    CHECK_FALSE((first.ok() && other.ok()));
    for (const FleetAnswer* answer : {&first, &other}) {
      if (!answer->ok()) CHECK((answer->code == Code::disk_taken || answer->code == Code::record_malformed));
    }
    usleep(300'000);
    FleetAnswer again = fleet.join(first.ok() ? a : other.ok() ? b : a);
    CHECK(again.ok());
  }
}

TEST_CASE("control planes join one at a time, with PKI and the key of secrets in etcd") {
  Fleet& fleet = Fleet::get();
  FleetNode first = fleet.node(Role::control_plane), second = fleet.node(Role::control_plane);
  FleetAnswer answer = fleet.join(first);
  INFO(answer.why);
  REQUIRE(answer.ok());
  REQUIRE(answer.ticket.kubernetes->control_plane);
  const ControlPlaneTicket& control = *answer.ticket.kubernetes->control_plane;
  CHECK(key_of(control.secrets_key, KeyClass::cluster_secrets, ""));
  auto ca_key = read_file((fleet.plane["pki"] + "/ca.key").c_str(), 8192);
  REQUIRE(ca_key.ok());
  CHECK(equal(control.pki[static_cast<size_t>(PkiFile::ca_key)], *ca_key));

  FleetAnswer busy = fleet.join(second);
  CHECK(busy.code == Code::join_busy);
  CHECK(busy.why.find(first.name) != std::string::npos);
  CHECK(fleet.join(first).ok());                         // the holder may repeat
  FleetNode worker = fleet.node(Role::worker);
  CHECK(fleet.join(worker).ok());                        // workers do not wait

  // The first is registered, Ready and labelled: kubeadm may not be done with etcd. It says itself when it is.
  auto own = fleet.as_node(first, answer);
  Json node = {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", first.name}}}};
  REQUIRE(wait(*own, [&](auto done) { own->create_object("/api/v1/nodes", node, done); }).ok());
  Json labels = {{"metadata", {{"labels", {{"node-role.kubernetes.io/control-plane", ""}}}}}};
  REQUIRE(fleet.api().wait([&](auto done) { fleet.api().merge_patch("/api/v1/nodes/" + first.name, labels, done); }).ok());
  Json ready = {{"status", {{"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}, {"reason", "Test"}, {"lastTransitionTime", "2026-01-01T00:00:00Z"}}})}}}};
  REQUIRE(fleet.api().wait([&](auto done) { fleet.api().merge_patch("/api/v1/nodes/" + first.name + "/status", ready, done); }).ok());
  CHECK(fleet.join(second).code == Code::join_busy);
  Json joined = {{"metadata", {{"annotations", {{kJoinedAnnotation, "2026-01-01T00:00:00Z"}}}}}};
  REQUIRE(wait(*own, [&](auto done) { own->merge_patch("/api/v1/nodes/" + first.name, joined, done); }).ok());
  FleetAnswer then = fleet.join(second);
  INFO(then.why);
  CHECK(then.ok());
  Json lease = *fleet.get(kLeasePath);
  CHECK(lease["spec"]["holderIdentity"] == second.name);
  // Its Node never comes: an operator, or the end of 900 s, frees the lease.
  REQUIRE(fleet.api().wait([&](auto done) { fleet.api().remove(kLeasePath, done); }).ok());
}

TEST_CASE("a kubelet's serving certificate is approved for exactly the node's name and address") {
  Fleet& fleet = Fleet::get();
  FleetNode node = fleet.node(Role::worker);
  FleetAnswer answer = fleet.join(node);
  REQUIRE(answer.ok());
  auto own = fleet.as_node(node, answer);
  const std::string subject = "/O=system:nodes/CN=system:node:" + node.name;
  auto ask = [&](const std::string& name, const std::string& sans) {
    std::vector<uint8_t> der = fleet.csr(node, subject, {"-addext", "subjectAltName=" + sans});
    Json object = {{"apiVersion", "certificates.k8s.io/v1"}, {"kind", "CertificateSigningRequest"}, {"metadata", {{"name", name}}},
                   {"spec", {{"request", nullptr}, {"signerName", "kubernetes.io/kubelet-serving"},
                             {"usages", {"digital signature", "key encipherment", "server auth"}}}}};
    object["spec"]["request"] = to_base64(certificate_request_pem(der));
    REQUIRE(wait(*own, [&](auto done) { own->create_object("/apis/certificates.k8s.io/v1/certificatesigningrequests", object, done); }).ok());
  };
  auto signed_within = [&](const std::string& name, int tenths) {
    for (int i = 0; i < tenths; ++i, usleep(100'000)) {
      auto object = fleet.get("/apis/certificates.k8s.io/v1/certificatesigningrequests/" + name);
      if (object.ok() && (*object)["status"].contains("certificate")) return true;
    }
    return false;
  };
  ask("good-" + node.name, "DNS:" + node.name + ",IP:" + node.address);
  CHECK(signed_within("good-" + node.name, 80));
  ask("other-address-" + node.name, "DNS:" + node.name + ",IP:10.0.2.15");
  ask("other-name-" + node.name, "DNS:kubernetes,IP:" + node.address);
  ask("more-" + node.name, "DNS:" + node.name + ",DNS:kubernetes,IP:" + node.address);
  ask("no-address-" + node.name, "DNS:" + node.name);
  CHECK(fleet.joinservice->logs("request=no-address-" + node.name));
  for (const char* kind : {"other-address-", "other-name-", "more-", "no-address-"}) {
    INFO(std::string(kind));
    CHECK_FALSE(signed_within(kind + node.name, 5));
  }
}

TEST_CASE("without the API server a node gets a named error that says to try again; afterwards all goes on") {
  Fleet& fleet = Fleet::get();
  FleetNode node = fleet.node(Role::worker), late = fleet.node(Role::worker);
  REQUIRE(fleet.join(node).ok());
  fleet.plane.command("stop-api");
  FleetAnswer refused = fleet.join(late);
  INFO(refused.why);
  CHECK(refused.code == Code::api_unreachable);
  CHECK(refused.why.find("try again") != std::string::npos);
  CHECK(fleet.rejoin(node, node.disk).code == Code::api_unreachable);
  FleetNode wrong = fleet.node(Role::worker);
  wrong.disk = node.disk;
  CHECK(fleet.join(wrong).code == Code::disk_taken);   // what needs no API is still decided
  fleet.plane.command("start-api");
  bool joined = false;
  for (int i = 0; i < 40 && !joined; ++i) {
    joined = fleet.join(late).ok();
    if (!joined) usleep(500'000);
  }
  CHECK(joined);
  CHECK(fleet.rejoin(node, node.disk).ok());
}

// The harness's own API server, by the port that it was started with.
pid_t api_server() {
  const std::string& server = Fleet::get().plane["server"];
  const std::string port = server.substr(server.rfind(':') + 1);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    auto line = read_file((entry.path() / "cmdline").c_str(), 16384);
    if (!line.ok()) continue;
    std::string words(Bytes(*line).text());
    if (words.find("kube-apiserver") == 0 && words.find(std::string("--secure-port\0", 14) + port) != std::string::npos) {
      return static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
    }
  }
  return -1;
}

TEST_CASE("an API server that does not answer holds up nobody else, and the node is told to try again") {
  Fleet& fleet = Fleet::get();
  FleetNode known = fleet.node(Role::worker), late = fleet.node(Role::worker), thief = fleet.node(Role::control_plane);
  thief.role = Role::worker;   // the other TPM, so that both can sign at once
  thief.disk = known.disk;
  REQUIRE(fleet.join(known).ok());
  const pid_t api = api_server();
  REQUIRE(api > 0);
  REQUIRE(kill(api, SIGSTOP) == 0);
  FleetAnswer waiting;
  const int64_t start = monotonic_ms();
  std::thread there([&] { waiting = fleet.join(late); });
  usleep(1'500'000);
  const int64_t before = monotonic_ms();
  CHECK(fleet.join(thief).code == Code::disk_taken);
  CHECK(monotonic_ms() - before < 5000);
  there.join();
  CHECK(waiting.code == Code::timeout);
  CHECK(waiting.why.find("try again") != std::string::npos);
  CHECK(monotonic_ms() - start < 35'000);
  REQUIRE(kill(api, SIGCONT) == 0);
  bool joined = false;
  for (int i = 0; i < 40 && !joined; ++i) {
    joined = fleet.join(late).ok();
    if (!joined) usleep(500'000);
  }
  CHECK(joined);
}

TEST_CASE("a bad reference value is reported, and the old ones keep serving") {
  Fleet& fleet = Fleet::get();
  const std::string path = fleet.folder + "/references/reference-values.json";
  REQUIRE(write_file_durably(path.c_str(), Bytes("{}"), 0644).ok());
  CHECK(fleet.joinservice->logs("references.rejected"));
  FleetNode node = fleet.node(Role::worker);
  CHECK(fleet.join(node).ok());
  REQUIRE(write_file_durably(path.c_str(), Bytes(fleet.references.to_json()), 0644).ok());
  CHECK(fleet.joinservice->logs("references.loaded"));
}

// --- the policy of the joinservice in Kubernetes, call by call, in a child that makes no other call ---

__attribute__((no_sanitize("address", "undefined"))) bool lives(long number, std::array<unsigned long, 6> a) {
  pid_t child = fork();
  if (child == 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !restrict_calls(kJoinserviceKubernetesSeccomp).ok()) _exit(9);
    (void)syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
  return !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

TEST_CASE("in Kubernetes the joinservice may open TCP connections and read, and write or run nothing") {
  constexpr unsigned long kStream = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, kCwd = static_cast<unsigned long>(AT_FDCWD);
  constexpr unsigned long kMake = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  struct Row {
    const char* name;
    long number;
    std::array<unsigned long, 6> arguments;
    bool allowed;
  };
  const Row rows[] = {
      {"TCP socket", SYS_socket, {AF_INET, kStream, IPPROTO_TCP, 0, 0, 0}, true},
      {"TCP socket, IPv6", SYS_socket, {AF_INET6, kStream, IPPROTO_TCP, 0, 0, 0}, true},
      {"unix socket", SYS_socket, {AF_UNIX, kStream, 0, 0, 0, 0}, true},
      {"UDP socket", SYS_socket, {AF_INET, SOCK_DGRAM, 0, 0, 0, 0}, false},
      {"raw socket", SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_TCP, 0, 0, 0}, false},
      {"netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 0, 0, 0, 0}, false},
      {"SO_KEEPALIVE", SYS_setsockopt, {~0UL, SOL_SOCKET, SO_KEEPALIVE, 0, 0, 0}, true},
      {"SO_BINDTODEVICE", SYS_setsockopt, {~0UL, SOL_SOCKET, SO_BINDTODEVICE, 0, 0, 0}, false},
      {"bind", SYS_bind, {~0UL, 0, 0, 0, 0, 0}, false},
      {"listen", SYS_listen, {~0UL, 1, 0, 0, 0, 0}, false},
      {"open to read", SYS_openat, {kCwd, 0, O_RDONLY | O_CLOEXEC, 0, 0, 0}, true},
      {"make a file", SYS_openat, {kCwd, 0, kMake, 0600, 0, 0}, false},
      {"open to write", SYS_openat, {kCwd, 0, O_RDWR, 0, 0, 0}, false},
      {"rename", SYS_rename, {0, 0, 0, 0, 0, 0}, false},
      {"unlink", SYS_unlink, {0, 0, 0, 0, 0, 0}, false},
      {"execve", SYS_execve, {0, 0, 0, 0, 0, 0}, false},
      {"ptrace", SYS_ptrace, {~0UL, 0, 0, 0, 0, 0}, false},
      {"executable memory", SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, ~0UL, 0}, false},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    CHECK(lives(row.number, row.arguments) == row.allowed);
  }
}

}  // namespace
}  // namespace cstl
