#include "tools/cstl/configuration.h"

#include <doctest/doctest.h>

#include "tools/cstl/yaml.h"

using namespace cstl;
using namespace cstl::cli;

namespace {
const std::string kHead = "cstl: config/1\nname: demo\nvariant: qemu-vtpm\nreference_values: r.json\n";
const std::string kMini = "mini:\n  image: a\n  firmware_code: b\n  firmware_vars: c\n";
const std::string kGood = kHead + kMini;
const std::string kKubernetes =
    "kubernetes:\n  version: v1.20.2\n  service_cidr: 10.96.0.0/16\n  pod_cidr: 10.244.0.0/16\n";
const std::string kBoth = kHead + kKubernetes + kMini + "  root: d\n";
}  // namespace

TEST_CASE("the generated templates are valid configurations") {
  std::string problem;
  auto config = parse_config(config_template("prod-1", false), &problem);
  REQUIRE_MESSAGE(config.ok(), problem);
  CHECK(config->name == "prod-1");
  CHECK_FALSE(config->kubernetes.has_value());
  CHECK(config->mini.workers == 1);
  CHECK(config->mini.disk_gib == 4);
  CHECK(config->mini.root.empty());

  config = parse_config(config_template("prod-2", true), &problem);
  REQUIRE_MESSAGE(config.ok(), problem);
  REQUIRE(config->kubernetes.has_value());
  CHECK(config->kubernetes->name == "prod-2");
  CHECK(config->kubernetes->kubernetes.text() == "v1.20.2");
  CHECK(config->kubernetes->sans == std::vector<std::string>{"127.0.0.1"});
  CHECK(config->mini.control_plane.cpus == 1);
  CHECK(config->mini.root == "root.img");
}

TEST_CASE("a cluster configuration for nodes comes out of the kubernetes section") {
  std::string problem;
  auto config = parse_config(kBoth, &problem);
  REQUIRE_MESSAGE(config.ok(), problem);
  CHECK(endpoint_text(config->kubernetes->endpoint) == "10.0.2.15:6443");
  auto again = ClusterConfig::parse(config->kubernetes->to_json(), &problem);
  CHECK_MESSAGE(again.ok(), problem);
  CHECK(config->kubectl == "kubectl");
  CHECK(config->mini.bundle.empty());
  config = parse_config(kBoth + "  bundle: b.tar\n", &problem);
  REQUIRE_MESSAGE(config.ok(), problem);
  CHECK(config->mini.bundle == "b.tar");
}

TEST_CASE("Cilium's values: strict in both directions, for the pods of this cluster, and only where Cilium is wanted") {
  std::string problem;
  auto config = parse_config(kHead + kKubernetes + "  network: cilium\n" + kMini + "  root: d\n", &problem);
  REQUIRE_MESSAGE(config.ok(), problem);
  config->kubernetes->pod_cidr = *parse_prefix("172.20.0.0/14");
  auto text = cilium_values(*config);
  REQUIRE(text.ok());
  auto values = parse_yaml(*text, &problem);
  REQUIRE_MESSAGE(values.ok(), problem);
  const auto& encryption = (*values)["encryption"];
  CHECK(encryption["enabled"] == true);
  CHECK(encryption["type"] == "wireguard");
  CHECK(encryption["nodeEncryption"] == true);
  const auto& egress = encryption["strictMode"]["egress"];
  CHECK(egress["enabled"] == true);
  CHECK(egress["cidr"] == "172.20.0.0/14");
  CHECK(egress["allowRemoteNodeIdentities"] == ((*values)["routingMode"] == "tunnel"));
  CHECK(encryption["strictMode"]["ingress"]["enabled"] == true);
  CHECK((*values)["ipam"]["mode"] == "kubernetes");
  CHECK((*values)["ipv6"]["enabled"] == false);
  CHECK((*values)["kubeProxyReplacement"] == false);
  CHECK((*values)["cni"]["binPath"] == "/opt/cni/bin");

  for (const std::string& other : {kBoth, kGood}) {
    config = parse_config(other, &problem);
    REQUIRE_MESSAGE(config.ok(), problem);
    CHECK(cilium_values(*config).code() == Code::config_malformed);
  }
}

TEST_CASE("a configuration with a fault is refused and the place is named") {
  struct Row { const char* name; std::string text; const char* place; Code code = Code::config_malformed; };
  const Row rows[] = {
      {"empty file", "", "empty"},
      {"unknown field", kGood + "color: blue\n", "color"},
      {"unknown field of mini", kGood + "  color: blue\n", "mini.: holds an unknown member: color"},
      {"missing name", "cstl: config/1\nvariant: qemu-vtpm\nreference_values: r\n", "name"},
      {"wrong kind", "cstl: state/1\nname: a\nvariant: tpm\nreference_values: r\n", "cstl"},
      {"name with capitals", "cstl: config/1\nname: Demo\nvariant: tpm\nreference_values: r\n", "name"},
      {"unknown variant", "cstl: config/1\nname: a\nvariant: vtpm\nreference_values: r\n", "variant"},
      {"a bundle without Kubernetes", kGood + "  bundle: b.tar\n", "bundle"},
      {"a second control plane without Kubernetes", kGood + "  control_planes: 2\n", "mini.control_planes"},
      {"more control planes than metadata can name", kBoth + "  control_planes: 8\n", "mini.control_planes"},
      {"workers beyond the bound", kGood + "  workers: 33\n", "mini.workers"},
      {"workers as text", kGood + "  workers: \"1\"\n", "mini.workers"},
      {"Kubernetes without a root disk", kHead + kKubernetes + kMini, "root disk"},
      {"a root disk without Kubernetes", kGood + "  root: d\n", "root disk"},
      {"no endpoint where mini does not know it", kHead + kKubernetes, "kubernetes.endpoint", Code::cluster_malformed},
      {"unknown field of kubernetes", kHead + kKubernetes + "  color: blue\n", "color"},
      {"a name that the section may not choose", kHead + kKubernetes + "  name: other\n", "name"},
      {"missing version", kHead + "kubernetes:\n  pod_cidr: 10.244.0.0/16\n", "kubernetes.version"},
      {"a range that is none", kHead + "kubernetes:\n  version: v1.20.2\n  endpoint: 10.0.2.15:6443\n  service_cidr: all\n"
       "  pod_cidr: 10.244.0.0/16\n", "kubernetes.service_cidr", Code::cluster_malformed},
      {"a component without SHA-256", kBoth.substr(0, kBoth.find("mini:")) +
       "  components:\n  - url: https://example.org/kubelet\n    path: /opt/cstl/bin/kubelet\n" +
       kBoth.substr(kBoth.find("mini:")), "sha256", Code::cluster_malformed},
      {"a key twice", kGood + "name: demo\n", "twice"},
      {"an alias", "cstl: &a config/1\nname: *a\n", "anchors"},
      {"a tag", "cstl: !!str config/1\n", "tags"},
      {"a list instead of a mapping", "- a\n", "is not an object"},
      {"two documents", "cstl: config/1\n---\na: b\n", "second"},
      {"not YAML", "a: [b\n", "line"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    std::string problem;
    auto config = parse_config(row.text, &problem);
    CHECK(config.code() == row.code);
    CHECK_MESSAGE(problem.find(row.place) != std::string::npos, problem);
  }
  std::string problem;
  CHECK(parse_config(std::string(kMaxYaml + 1, 'a'), &problem).code() == Code::too_long);
}

TEST_CASE("a version of Kubernetes that is not supported is refused") {
  std::string problem;
  std::string text = kBoth;
  text.replace(text.find("v1.20.2"), 7, "v1.19.0");
  CHECK(parse_config(text, &problem).code() == Code::kubernetes_version);
  CHECK_MESSAGE(problem.find("kubernetes") != std::string::npos, problem);
}

TEST_CASE("deep nesting is refused, not followed") {
  std::string problem;
  CHECK(parse_yaml(std::string(5000, '['), &problem).code() == Code::config_malformed);
}
