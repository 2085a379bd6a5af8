// A node that is in the cluster, with the right image and real evidence, and then lies: what it cannot get. Each over the
// wire, with aTLS and a TPM's quotes; the API server is a real one.
#include <doctest/doctest.h>
#include <unistd.h>

#include "crypto/base/base64.h"
#include "crypto/base/log.h"
#include "svc/joinservice/csr.h"
#include "svc/run/local_server.h"
#include "svc/wire/key.h"
#include "tests/svc/live/fleet.h"

namespace cstl {
namespace {

using test::Fleet;
using test::FleetAnswer;
using test::FleetNode;
using Json = nlohmann::json;
constexpr const char* kRequests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

// A node that joined and is honest, and one that joined and is not.
struct Pair {
  Fleet& fleet = Fleet::get();
  FleetNode honest = fleet.node(Role::worker), rogue = fleet.node(Role::worker);
  FleetAnswer honest_answer = fleet.join(honest), rogue_answer = fleet.join(rogue);
  Pair() {
    INFO(describe(honest_answer.error) << honest_answer.why);
    INFO(describe(rogue_answer.error) << rogue_answer.why);
    REQUIRE(honest_answer.ok());
    REQUIRE(rogue_answer.ok());
  }
};

TEST_CASE("a malicious node does not get another's disk key") {
  Pair pair;
  JoinRequest request = pair.rogue.request();
  request.disk = pair.honest.disk;
  CHECK(pair.fleet.join(pair.rogue, request).code == Code::disk_taken);
  CHECK(pair.fleet.rejoin(pair.rogue, pair.honest.disk).code == Code::identity_mismatch);
  FleetNode fresh = pair.fleet.node(Role::worker);   // a machine that never joined fares no better
  fresh.disk = pair.honest.disk;
  CHECK(pair.fleet.join(fresh).code == Code::disk_taken);
  CHECK(pair.fleet.rejoin(fresh, pair.honest.disk).code == Code::identity_mismatch);
  CHECK(pair.fleet.rejoin(pair.honest, pair.honest.disk).ok());
}

TEST_CASE("a malicious node does not get a control plane's PKI or the key of secrets with a worker's image") {
  Pair pair;
  const size_t before = pair.fleet.keyservice->log().size();
  JoinRequest request = pair.rogue.request();
  request.role = Role::control_plane;
  CHECK(pair.fleet.join(pair.rogue, request).code == Code::role_refused);
  FleetNode fresh = pair.fleet.node(Role::worker);
  fresh.role = Role::control_plane;
  CHECK(pair.fleet.join(fresh).code == Code::role_refused);
  CHECK_FALSE(pair.rogue_answer.ticket.kubernetes->control_plane.has_value());
  // And with an image that may be both, a worker's ticket carries a worker's part.
  FleetNode both = pair.fleet.node(Role::control_plane);
  both.role = Role::worker;
  FleetAnswer answer = pair.fleet.join(both);
  REQUIRE(answer.ok());
  CHECK_FALSE(answer.ticket.kubernetes->control_plane.has_value());
  std::string keys = pair.fleet.keyservice->log().substr(before);
  CHECK(keys.find("class=cluster/secrets") == std::string::npos);
}

TEST_CASE("a malicious node does not get another name's certificate, nor more in its own") {
  Pair pair;
  const std::string own = "/O=system:nodes/CN=system:node:" + pair.rogue.name;
  struct Row {
    const char* name;
    std::string subject;
    std::vector<std::string> more;
  };
  const Row rows[] = {
      {"another's name", "/O=system:nodes/CN=system:node:" + pair.honest.name, {}},
      {"an administrator's group", "/O=system:masters/CN=system:node:" + pair.rogue.name, {}},
      {"an administrator's group besides", "/O=system:nodes/O=system:masters/CN=system:node:" + pair.rogue.name, {}},
      {"an administrator", "/O=system:masters/CN=kubernetes-admin", {}},
      {"the API server's name as SAN", own, {"-addext", "subjectAltName=DNS:kubernetes"}},
      {"another's name as SAN", own, {"-addext", "subjectAltName=DNS:" + pair.honest.name}},
      {"a CA", own, {"-addext", "basicConstraints=critical,CA:TRUE"}},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    std::vector<uint8_t> csr = pair.fleet.csr(pair.rogue, row.subject, row.more);
    JoinRequest request = pair.rogue.request();
    request.csr = csr;
    FleetAnswer answer = pair.fleet.join(pair.rogue, request);
    CHECK(answer.code == Code::csr_refused);
    CHECK(answer.why.find("csr.") != std::string::npos);
  }
  JoinRequest request = pair.rogue.request();   // another's request, whole: its key is not the rogue's
  request.csr = pair.honest.csr;
  CHECK(pair.fleet.join(pair.rogue, request).code == Code::csr_refused);
  std::vector<uint8_t> forged = pair.rogue.csr;  // a name changed after the signature
  forged.back() ^= 1;
  request.csr = forged;
  CHECK(pair.fleet.join(pair.rogue, request).code == Code::csr_refused);
}

TEST_CASE("a malicious node does not get any key class but its own") {
  Pair pair;
  for (KeyClass key_class : {KeyClass::disk, KeyClass::cluster_measurement, KeyClass::volume, KeyClass::ssh_ca,
                             KeyClass::object, KeyClass::cluster_secrets}) {
    INFO(std::string(key_class_name(key_class)));
    KeyRequest request;
    request.key_class = key_class;
    const std::string id = uuid_text(pair.rogue.disk);
    if (key_class == KeyClass::disk || key_class == KeyClass::volume) request.id = id;
    if (key_class == KeyClass::object) request.id = "bucket";
    std::array<uint8_t, 128> space{};
    auto body = request.encode(space);
    REQUIRE(body.ok());
    CHECK(pair.fleet.send(pair.rogue, FrameType::key_request, *body) == Code::frame_type);
  }
  // On a control plane, another user's process does not reach the keyservice either.
  auto connection = connect_local(pair.fleet.folder + "/keys.sock");
  REQUIRE(connection.ok());
  auto refused = receive_frame(connection->get(), 5000);
  CHECK(refused.code() == Code::peer_error);
  CHECK(code_from_number(static_cast<uint16_t>(refused.error().foreign)) == Code::peer_credentials);
}

Json signing_request(const std::string& name, Bytes der, const char* signer, const char* use) {
  Json object = {{"apiVersion", "certificates.k8s.io/v1"},
                 {"kind", "CertificateSigningRequest"},
                 {"metadata", {{"name", name}}},
                 {"spec", {{"signerName", signer}, {"usages", {"digital signature", "key encipherment", use}}}}};
  object["spec"]["request"] = to_base64(certificate_request_pem(der));
  return object;
}

TEST_CASE("a malicious node gets no certificate with another's bootstrap token") {
  Pair pair;
  const std::string token(pair.honest_answer.ticket.kubernetes->token.text());
  auto thief = pair.fleet.as_token(token);
  std::vector<uint8_t> csr = pair.fleet.csr(pair.rogue, "/O=system:nodes/CN=system:node:" + pair.honest.name);
  Json object = signing_request("stolen-0", csr, "kubernetes.io/kube-apiserver-client-kubelet", "client auth");
  auto ask = [&] { return thief->wait([&](auto done) { thief->create_object(kRequests, object, done); }); };
  CHECK(ask().code() == Code::api_denied);   // the cluster has no binding that lets tokens ask
  // Even with kubeadm's usual binding, nobody approves it.
  Json binding = {{"apiVersion", "rbac.authorization.k8s.io/v1"},
                  {"kind", "ClusterRoleBinding"},
                  {"metadata", {{"name", "test:kubelet-bootstrap"}}},
                  {"roleRef", {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", "system:node-bootstrapper"}}},
                  {"subjects", Json::array({{{"kind", "Group"}, {"name", "system:bootstrappers:kubeadm:default-node-token"}, {"apiGroup", "rbac.authorization.k8s.io"}}})}};
  REQUIRE(pair.fleet.api().wait([&](auto done) { pair.fleet.api().create_object("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding, done); }).ok());
  bool made = false;
  for (int i = 0; i < 50 && !made; ++i, usleep(100'000)) made = ask().ok();
  CHECK(made);
  sleep(3);
  auto left = pair.fleet.get(std::string(kRequests) + "/stolen-0");
  REQUIRE(left.ok());
  CHECK_FALSE((*left)["status"].contains("conditions"));
  CHECK_FALSE((*left)["status"].contains("certificate"));
}

TEST_CASE("a malicious node gets no serving certificate for another's name or address, and not its address on record") {
  Pair pair;
  JoinRequest request = pair.rogue.request();
  request.address = pair.honest.address;
  CHECK(pair.fleet.join(pair.rogue, request).code == Code::address_taken);
  auto own = pair.fleet.as_node(pair.rogue, pair.rogue_answer);
  const std::string subject = "/O=system:nodes/CN=system:node:" + pair.rogue.name;
  const std::string sans[] = {"DNS:" + pair.rogue.name + ",IP:" + pair.honest.address, "DNS:" + pair.honest.name + ",IP:" + pair.rogue.address,
                              "DNS:" + pair.honest.name + ",IP:" + pair.honest.address};
  int number = 0;
  for (const std::string& san : sans) {
    std::string name = "serving-" + pair.rogue.name + "-" + std::to_string(number++);
    Json object = signing_request(name, pair.fleet.csr(pair.rogue, subject, {"-addext", "subjectAltName=" + san}), "kubernetes.io/kubelet-serving", "server auth");
    REQUIRE(own->wait([&](auto done) { own->create_object(kRequests, object, done); }).ok());
    CHECK(pair.fleet.joinservice->logs("request=" + name));
    auto left = pair.fleet.get(std::string(kRequests) + "/" + name);
    REQUIRE(left.ok());
    CHECK_FALSE((*left)["status"].contains("conditions"));
  }
}

}  // namespace
}  // namespace cstl
