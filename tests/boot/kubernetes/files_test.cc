#include "boot/kubernetes/files.h"

#include <doctest/doctest.h>

#include "boot/kubernetes/objects.h"
#include "boot/kubernetes/state.h"
#include "boot/kubernetes/node.h"
#include "crypto/base/base64.h"
#include "crypto/base/json.h"

namespace cstl::kubernetes {

TEST_CASE("encryption at rest: Secrets, one provider, the key and nothing that would store them in the clear") {
  Key32 key;
  for (int i = 0; i < 32; ++i) key.fill().data()[i] = static_cast<uint8_t>(7 * i);
  auto document = parse_json(encryption_configuration(key).declassify().text(), 4096);
  REQUIRE(document.ok());
  const nlohmann::json& c = *document;
  CHECK(c["kind"] == "EncryptionConfiguration");
  REQUIRE(c["resources"].size() == 1);
  CHECK(c["resources"][0]["resources"] == nlohmann::json::array({"secrets"}));
  REQUIRE(c["resources"][0]["providers"].size() == 1);
  CHECK(c["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"] == to_base64(key.declassify()));
}

TEST_CASE("the API server's probes are patched, each whole") {
  auto patch = parse_json(api_server_patch(*parse_ip("10.0.2.15")), 4096);
  REQUIRE(patch.ok());
  REQUIRE(patch->size() == 3);
  for (const auto& operation : *patch) {
    CHECK(operation["op"] == "add");
    CHECK(operation["value"]["tcpSocket"]["host"] == "10.0.2.15");
    CHECK(operation["value"]["tcpSocket"]["port"] == 6443);
    CHECK_FALSE(operation["value"].contains("httpGet"));
  }
}

TEST_CASE("kubeconfigs name one cluster, one user and its credentials") {
  auto token = parse_json(token_kubeconfig("10.0.2.15:6443", "PEM", "abcdef.0123456789abcdef"), 4096);
  REQUIRE(token.ok());
  CHECK((*token)["clusters"][0]["cluster"]["server"] == "https://10.0.2.15:6443");
  CHECK((*token)["clusters"][0]["cluster"]["certificate-authority-data"] == to_base64(Bytes("PEM")));
  CHECK((*token)["users"][0]["user"] == nlohmann::json{{"token", "abcdef.0123456789abcdef"}});
  auto file = parse_json(file_kubeconfig("10.0.2.15:6443", "PEM", "system:node:a", "/c", "/k"), 4096);
  REQUIRE(file.ok());
  CHECK((*file)["current-context"] == (*file)["contexts"][0]["name"]);
  CHECK((*file)["contexts"][0]["context"]["user"] == (*file)["users"][0]["name"]);
  CHECK((*file)["users"][0]["user"] == nlohmann::json{{"client-certificate", "/c"}, {"client-key", "/k"}});
}

TEST_CASE("the kubelet's flags are taken from kubeadm's file, and from nothing else") {
  auto flags = parse_kubelet_flags("KUBELET_KUBEADM_ARGS=\"--a=b  --c d\"\n");
  REQUIRE(flags.ok());
  CHECK(*flags == std::vector<std::string>{"--a=b", "--c", "d"});
  CHECK(parse_kubelet_flags("KUBELET_KUBEADM_ARGS=\"--a\"")->size() == 1);
  CHECK(parse_kubelet_flags("KUBELET_KUBEADM_ARGS=\" \"")->empty());
  for (const char* bad : {"", "KUBELET_KUBEADM_ARGS=", "KUBELET_KUBEADM_ARGS=\"", "X=\"--a\"", "KUBELET_KUBEADM_ARGS=\"--a",
                          "KUBELET_KUBEADM_ARGS=\"--a\"x\"", "KUBELET_KUBEADM_ARGS=\"--a=$x\"", "KUBELET_KUBEADM_ARGS=\"--a\\\"\"",
                          "KUBELET_KUBEADM_ARGS=\"--a\n--b\""}) {
    CAPTURE(bad);
    CHECK(parse_kubelet_flags(bad).code() == Code::bad_value);
  }
  std::string many = "KUBELET_KUBEADM_ARGS=\"";
  for (int i = 0; i < 65; ++i) many += "a ";
  CHECK(parse_kubelet_flags(many + "\"").code() == Code::bad_value);
}

namespace {
SetupState state() {
  SetupState out;
  out.address = *parse_ip("10.0.2.16");
  out.endpoint = "10.0.2.15:6443";
  out.cluster = *ClusterConfig::parse(R"({"cstl":"cluster/1","name":"demo","kubernetes":"v1.20.2","endpoint":"10.0.2.15:6443",)"
                                      R"("service_cidr":"10.96.0.0/16","pod_cidr":"10.244.0.0/16"})",
                                      nullptr);
  return out;
}
}  // namespace

TEST_CASE("how far a node came is read as it was written, and nothing else is") {
  for (Phase phase : {Phase::joining, Phase::complete}) {
    SetupState s = state();
    s.phase = phase;
    std::string problem;
    auto again = SetupState::parse(s.to_json(), &problem);
    REQUIRE_MESSAGE(again.ok(), problem);
    CHECK(again->phase == phase);
    CHECK(again->address == s.address);
    CHECK(again->endpoint == s.endpoint);
    CHECK(again->cluster.name == "demo");
    CHECK(again->to_json() == s.to_json());
  }
  struct Row { const char *from, *to, *problem; } rows[] = {
      {"kubernetes/1", "kubernetes/2", "cstl: has an unknown value"},
      {"\"joining\"", "\"done\"", "phase: is neither joining nor complete"},
      {"\"joining\"", "1", "phase: is not a string"},
      {"10.0.2.16", "10.0.2", "address: is not an IP address"},
      {"10.0.2.15:6443", "10.0.2.15", "endpoint: is not address:port"},
      {"\"demo\"", "\"De mo\"", "name: is not a name"},
      {"\"phase\"", "\"x\": 1, \"phase\"", ": holds an unknown member: x"},
      {"\"endpoint\"", "\"endpoints\"", ": holds an unknown member: endpoints"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.to);
    std::string text = state().to_json(), problem;
    text.replace(text.find(row.from), std::string(row.from).size(), row.to);
    CHECK(SetupState::parse(text, &problem).code() == Code::kubernetes_state);
    CHECK_MESSAGE(problem.rfind(row.problem, 0) == 0, problem);
  }
}

TEST_CASE("objects are put where their kind lives") {
  struct Row { const char *json, *path; } rows[] = {
      {R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}})", "/api/v1/namespaces/a"},
      {R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"b"}})", "/api/v1/namespaces/b/secrets/a"},
      {R"({"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"a","namespace":"b"}})",
       "/apis/apps/v1/namespaces/b/daemonsets/a"},
      {R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"system:a"}})",
       "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa"},
      {R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"../a","namespace":"b"}})",
       "/api/v1/namespaces/b/configmaps/..%2Fa"}};
  for (const Row& row : rows) {
    auto path = object_path(*parse_json(row.json, 4096));
    REQUIRE(path.ok());
    CHECK(*path == row.path);
  }
  for (const char* bad : {"[]", "1", "{}", R"({"apiVersion":"v1","kind":"Secret"})",
                          R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}})",
                          R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","namespace":"b"}})",
                          R"({"apiVersion":"v2","kind":"Secret","metadata":{"name":"a","namespace":"b"}})",
                          R"({"apiVersion":1,"kind":"Secret","metadata":{"name":"a","namespace":"b"}})",
                          R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"","namespace":"b"}})",
                          R"({"apiVersion":"v1","kind":"Secret","metadata":1})"}) {
    CAPTURE(bad);
    CHECK(object_path(*parse_json(bad, 4096)).code() == Code::manifests_malformed);
  }
}

TEST_CASE("manifests are a list of known objects") {
  std::string problem;
  CHECK(parse_manifests("[]", &problem)->empty());
  CHECK(parse_manifests(R"([{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}])", &problem)->size() == 1);
  CHECK(parse_manifests("{}", &problem).code() == Code::manifests_malformed);
  CHECK(parse_manifests("[", &problem).code() == Code::manifests_malformed);
  CHECK(parse_manifests(R"([{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}])", &problem).code() ==
        Code::manifests_malformed);
  CHECK(problem == "object 0 is malformed or of an unknown kind");
}

TEST_CASE("objects of a new cluster carry what the services read, and secrets can be wiped") {
  MasterSecret master;
  master.key.fill().data()[0] = 1;
  master.salt.fill().data()[31] = 2;
  nlohmann::json secret = master_secret_object(master);
  std::vector<uint8_t> both(64);
  both[0] = 1;
  both[63] = 2;
  CHECK(secret["data"]["master"] == to_base64(both));
  CHECK(secret["metadata"]["namespace"] == "cstl-system");
  std::vector<SecretBuffer> files;
  for (int i = 0; i < 8; ++i) files.emplace_back(1);
  nlohmann::json pki = pki_object(files);
  CHECK(pki["data"].size() == 8);
  CHECK(pki["data"].contains("etcd-ca.key"));
  wipe_object(secret);
  CHECK(secret["data"]["master"] == std::string(88, '\0'));

  FirstNode first;
  first.node.name = "control-plane-0";
  first.node.role = Role::control_plane;
  first.address = *parse_ip("10.0.2.15");
  first.reference_set = "one";
  first.wireguard_key.fill(1);
  nlohmann::json node = node_object(first);
  CHECK(node["metadata"]["name"] == "control-plane-0");
  CHECK_FALSE(node["metadata"].contains("namespace"));
  CHECK(node["spec"]["role"] == "control-plane");
  CHECK(node["spec"]["wireguardPublicKey"] == to_base64(first.wireguard_key));
  CHECK(node["spec"]["firstJoined"] == "1970-01-01T00:00:00Z");
  auto facts = cluster_object(state().cluster, first, Digest32{});
  for (const char* key : {"cluster.json", "cluster-id", "measurement-salt", "owner-key", "ca-hash"}) {
    CHECK(facts["data"][key].is_string());
  }
}

}  // namespace cstl::kubernetes
