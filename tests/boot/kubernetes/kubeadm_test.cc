// The configuration of kubeadm, whole, against files that people have read: tests/boot/kubernetes/golden. When a change
// is meant, CSTL_WRITE_GOLDEN=1 writes them anew, and a review shows what changed.
#include "boot/kubernetes/kubeadm.h"

#include <cstdlib>
#include <doctest/doctest.h>

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

}  // namespace

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
