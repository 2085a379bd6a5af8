// The configuration of kubeadm, whole, against files that people have read: tests/boot/kubernetes/golden. When a change
// is meant, CSTL_WRITE_GOLDEN=1 writes them anew, and a review shows what changed.
#include "boot/kubernetes/kubeadm.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <map>

#include "crypto/base/fd.h"
#include "crypto/base/json.h"

namespace cstl::kubernetes {
namespace {

ClusterConfig cluster_of(const std::string& version, const std::string& endpoint = "10.0.2.15:6443") {
  std::string problem;
  auto out = ClusterConfig::parse(R"({"cstl":"cluster/1","name":"demo","kubernetes":")" + version + R"(","endpoint":")" + endpoint +
                                  R"(","sans":["127.0.0.1","api.example.org"],"service_cidr":"10.96.0.0/16",)"
                                  R"("pod_cidr":"10.244.0.0/16"})",
                                  &problem);
  REQUIRE_MESSAGE(out.ok(), problem);
  return *out;
}

const NodePlace kNode{"control-plane-0", *parse_ip("10.0.2.15")};
const NodePlace kWorker{"worker-0", *parse_ip("10.0.2.16")};

void check_golden(const std::string& name, const std::string& text) {
  std::string path = "tests/boot/kubernetes/golden/" + name;
  if (getenv("CSTL_WRITE_GOLDEN") != nullptr) REQUIRE(write_file_durably(path.c_str(), text, 0644).ok());
  auto expected = read_file(path.c_str(), 1 << 20);
  REQUIRE_MESSAGE(expected.ok(), path);
  CHECK_MESSAGE(Bytes(*expected).text() == text, path);
}

// The documents between the "---" lines.
std::vector<nlohmann::json> documents(const std::string& text) {
  std::vector<nlohmann::json> out;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = std::min(text.find("---\n", at), text.size());
    auto document = parse_json(std::string_view(text).substr(at, end - at), 1 << 20);
    REQUIRE(document.ok());
    out.push_back(*document);
    at = end + 4;
  }
  return out;
}

// "TYPE.MEMBER" to its kind: what kubeadm's types have, by their published source (fields/API.txt).
using Fields = std::map<std::string, std::string>;

Fields published(const std::string& api) {
  Fields out;
  std::ifstream file("tests/boot/kubernetes/fields/" + api + ".txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.find(' ');
    REQUIRE(space != std::string::npos);
    REQUIRE(out.emplace(line.substr(0, space), line.substr(space + 1)).second);
  }
  REQUIRE(out.size() > 80);
  return out;
}

// Go's time.ParseDuration, of what we write: digits and h, m or s, once or more.
bool duration(const nlohmann::json& value) {
  if (!value.is_string()) return false;
  const std::string& text = value.get_ref<const std::string&>();
  bool digits = false;
  for (char c : text) {
    const bool unit = c == 'h' || c == 'm' || c == 's';
    if (unit ? !digits : (c < '0' || c > '9')) return false;
    digits = !unit;
  }
  return !text.empty() && !digits;
}

// As a strict decoder sees it: the first place that is no member of its type, or not of its kind; empty: none.
std::string misfit(const Fields& fields, const nlohmann::json& value, const std::string& kind, const std::string& place) {
  const auto wrong = [&place](bool fits) { return fits ? "" : place; };
  if (kind == "string") return wrong(value.is_string());
  if (kind == "bool") return wrong(value.is_boolean());
  if (kind == "int") return wrong(value.is_number_integer());
  if (kind == "duration") return wrong(duration(value));
  const bool list = kind.compare(0, 2, "[]") == 0, map = kind.compare(0, 4, "map:") == 0;
  if (list ? !value.is_array() : !value.is_object()) return place;
  for (const auto& [key, member] : value.items()) {
    std::string of = list ? kind.substr(2) : map ? kind.substr(4) : "";
    if (of.empty()) {
      auto field = fields.find(kind + "." + key);
      if (field == fields.end()) return place + "." + key;
      of = field->second;
    }
    if (std::string inner = misfit(fields, member, of, place + "." + key); !inner.empty()) return inner;
  }
  return "";
}

std::string misfit(const Fields& fields, nlohmann::json document) {
  const std::string kind = document["kind"];
  document.erase("kind");
  document.erase("apiVersion");
  return misfit(fields, document, kind, kind);
}

}  // namespace

// The kubeadm that tests can run here is 1.20's, which reads v1beta2 (tests/e2e); no newer one is in Debian 12. So the two
// later APIs are compared, member by member, with the types that kubeadm decodes strictly. What this does not show: that
// these versions do what we mean by the values, and that the flags in extraArgs are ones that the components still know.
TEST_CASE("kubeadm configuration: v1beta3 and v1beta4 have the published members and kinds, and no others") {
  struct Row { const char *version, *api; } rows[] = {
      {"v1.22.0", "v1beta3"}, {"v1.30.4", "v1beta3"}, {"v1.31.0", "v1beta4"}, {"v1.36.0", "v1beta4"}};
  for (const Row& row : rows) {
    CAPTURE(row.version);
    const Fields fields = published(row.api);
    ClusterConfig cluster = cluster_of(row.version);
    size_t count = 0;
    const std::vector<std::string> texts = {*init_configuration(cluster, kNode, "abcdef.0123456789abcdef"),
                                            *etcd_configuration(cluster, kWorker, "a=https://10.0.2.15:2380"),
                                            *join_configuration(cluster, kWorker, false),
                                            *join_configuration(cluster, kNode, true)};
    for (const std::string& text : texts) {
      for (const nlohmann::json& document : documents(text)) {
        CHECK(misfit(fields, document) == "");
        ++count;
      }
    }
    CHECK(count == 8);
  }
  // And the comparison bites: each API refuses what only the other one has.
  const auto cluster = [](const char* version) {
    return documents(*init_configuration(cluster_of(version), kNode, "abcdef.0123456789abcdef"))[1];
  };
  const Fields three = published("v1beta3"), four = published("v1beta4");
  nlohmann::json old = cluster("v1.30.4"), fresh = cluster("v1.36.0");
  CHECK(misfit(four, old) == "ClusterConfiguration.apiServer.extraArgs");
  CHECK(misfit(three, fresh) == "ClusterConfiguration.apiServer.extraArgs");
  fresh["apiServer"]["timeoutForControlPlane"] = "15m0s";
  CHECK(misfit(four, fresh) == "ClusterConfiguration.apiServer.timeoutForControlPlane");
  CHECK(misfit(three, nlohmann::json{{"kind", "JoinConfiguration"}, {"discovery", {{"timeout", 300}}}}) ==
        "JoinConfiguration.discovery.timeout");
}

TEST_CASE("kubeadm configuration: each API has its golden files") {
  struct Row { const char *version, *api; } rows[] = {{"v1.20.2", "v1beta2"}, {"v1.30.4", "v1beta3"}, {"v1.34.1", "v1beta4"}};
  for (const Row& row : rows) {
    CAPTURE(row.version);
    ClusterConfig cluster = cluster_of(row.version);
    auto init = init_configuration(cluster, kNode, "abcdef.0123456789abcdef");
    REQUIRE(init.ok());
    check_golden(std::string(row.api) + "-init.yaml", *init);
    auto etcd = etcd_configuration(cluster, kWorker, "control-plane-0=https://10.0.2.15:2380,worker-0=https://10.0.2.16:2380");
    REQUIRE(etcd.ok());
    check_golden(std::string(row.api) + "-etcd.yaml", *etcd);
    auto worker = join_configuration(cluster, kWorker, false);
    REQUIRE(worker.ok());
    check_golden(std::string(row.api) + "-join.yaml", *worker);
    auto control_plane = join_configuration(cluster, NodePlace{"control-plane-1", *parse_ip("10.0.2.17")}, true);
    REQUIRE(control_plane.ok());
    check_golden(std::string(row.api) + "-join-control-plane.yaml", *control_plane);
  }
}

TEST_CASE("kubeadm configuration: the API changes exactly where kubeadm's does") {
  struct Row { const char* version; ConfigApi api; } rows[] = {
      {"v1.20.0", ConfigApi::v1beta2}, {"v1.21.14", ConfigApi::v1beta2}, {"v1.22.0", ConfigApi::v1beta3},
      {"v1.30.14", ConfigApi::v1beta3}, {"v1.31.0", ConfigApi::v1beta4}, {"v1.36.0", ConfigApi::v1beta4}};
  for (const Row& row : rows) {
    CAPTURE(row.version);
    auto api = config_api(*KubernetesVersion::parse(row.version));
    REQUIRE(api.ok());
    CHECK(*api == row.api);
  }
  for (const char* version : {"v1.19.16", "v1.37.0", "v2.20.0"}) {
    CHECK(config_api(*KubernetesVersion::parse(version)).code() == Code::kubernetes_version);
  }
  CHECK(kubeadm_arguments(ConfigApi::v1beta2, {"preflight", "addon/coredns"}) ==
        std::vector<std::string>{"--experimental-patches", "/etc/kubernetes/kubeadm/patches",
                                 "--skip-phases=preflight,addon/coredns"});
  CHECK(kubeadm_arguments(ConfigApi::v1beta3, {}).empty());
}

TEST_CASE("kubeadm configuration: what depends on the version does") {
  auto socket_of = [](const char* version) {
    return documents(*join_configuration(cluster_of(version), kWorker, false))[0]["nodeRegistration"]["criSocket"];
  };
  CHECK(socket_of("v1.23.17") == "/run/containerd/containerd.sock");
  CHECK(socket_of("v1.24.0") == "unix:///run/containerd/containerd.sock");
  auto kubelet_of = [](const char* version) {
    return documents(*init_configuration(cluster_of(version), kNode, "abcdef.0123456789abcdef"))[2];
  };
  CHECK_FALSE(kubelet_of("v1.24.17").contains("seccompDefault"));
  CHECK(kubelet_of("v1.25.0")["seccompDefault"] == true);
}

TEST_CASE("kubeadm configuration: the API server's certificate has the endpoint once, and IPv6 reads as such") {
  ClusterConfig cluster = cluster_of("v1.20.2", "127.0.0.1:6443");
  auto sans = documents(*init_configuration(cluster, kNode, "abcdef.0123456789abcdef"))[1]["apiServer"]["certSANs"];
  CHECK(sans == nlohmann::json::array({"127.0.0.1", "api.example.org"}));
  cluster = cluster_of("v1.20.2", "[fd00::1]:6443");
  auto init = documents(*init_configuration(cluster, NodePlace{"a", *parse_ip("fd00::1")}, "abcdef.0123456789abcdef"));
  CHECK(init[1]["controlPlaneEndpoint"] == "[fd00::1]:6443");
  CHECK(init[0]["localAPIEndpoint"]["advertiseAddress"] == "fd00::1");
}

}  // namespace cstl::kubernetes
