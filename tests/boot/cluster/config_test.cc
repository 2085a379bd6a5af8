#include "boot/cluster/config.h"

#include <doctest/doctest.h>

namespace cstl {
namespace {

const std::string kHash(64, 'a');

// The members of a good configuration, one of them replaced; "" leaves it out.
std::string with(const std::string& name, const std::string& value) {
  struct Member { std::string name, value; } members[] = {
      {"cstl", R"("cluster/1")"}, {"name", R"("demo")"}, {"kubernetes", R"("v1.20.2")"}, {"endpoint", R"("10.0.2.15:6443")"},
      {"sans", R"(["127.0.0.1"])"}, {"service_cidr", R"("10.96.0.0/16")"}, {"pod_cidr", R"("10.244.0.0/16")"},
      {"network", R"("wireguard")"},
      {"components", R"([{"url":"file:///x","sha256":")" + kHash + R"(","path":"/opt/cstl/bin/kubelet","archive":false}])"}};
  std::string out;
  bool found = name.empty();
  auto add = [&out](const std::string& n, const std::string& v) {
    if (!v.empty()) out += (out.empty() ? "" : ",") + ("\"" + n + "\":" + v);
  };
  for (const Member& m : members) {
    add(m.name, m.name == name ? value : m.value);
    found = found || m.name == name;
  }
  if (!found) add(name, value);
  return "{" + out + "}";
}

std::string component(const std::string& url, const std::string& hash, const std::string& path, const std::string& more = "") {
  return R"([{"url":")" + url + R"(","sha256":")" + hash + R"(","path":")" + path + "\"" + more + "}]";
}

}  // namespace

TEST_CASE("cluster configuration: every field is read, and it writes itself back") {
  std::string problem;
  auto c = ClusterConfig::parse(with("", ""), &problem);
  REQUIRE_MESSAGE(c.ok(), problem);
  CHECK(c->name == "demo");
  CHECK(c->kubernetes.text() == "v1.20.2");
  CHECK(endpoint_text(c->endpoint) == "10.0.2.15:6443");
  CHECK(c->sans == std::vector<std::string>{"127.0.0.1"});
  CHECK(prefix_text(c->service_cidr) == "10.96.0.0/16");
  CHECK(prefix_text(c->pod_cidr) == "10.244.0.0/16");
  CHECK(c->network == PodNetwork::wireguard);
  REQUIRE(c->components.size() == 1);
  CHECK(c->components[0].url == "file:///x");
  CHECK(to_hex(c->components[0].sha256) == kHash);
  CHECK(c->components[0].path == "/opt/cstl/bin/kubelet");
  CHECK(!c->components[0].archive);
  std::string text = c->to_json();
  auto again = ClusterConfig::parse(text, &problem);
  REQUIRE_MESSAGE(again.ok(), problem);
  CHECK(again->to_json() == text);
}

TEST_CASE("cluster configuration: what may be left out has a default") {
  for (const char* name : {"sans", "network", "components"}) {
    CAPTURE(name);
    std::string problem;
    auto c = ClusterConfig::parse(with(name, ""), &problem);
    REQUIRE_MESSAGE(c.ok(), problem);
    CHECK(c->network == PodNetwork::wireguard);
  }
  for (const char* name : {"cstl", "name", "kubernetes", "endpoint", "service_cidr", "pod_cidr"}) {
    CAPTURE(name);
    std::string problem;
    CHECK(ClusterConfig::parse(with(name, ""), &problem).code() == Code::cluster_malformed);
    CHECK(problem == std::string(name) + ": is missing");
  }
}

TEST_CASE("cluster configuration: good values of each field") {
  struct Row { const char* name; std::string value; } rows[] = {
      {"kubernetes", R"("v1.36.0")"}, {"kubernetes", R"("v1.21.100")"}, {"endpoint", R"("[fd00::1]:6443")"},
      {"sans", R"(["api.example.org","fd00::1","a"])"}, {"network", R"("cilium")"}, {"network", R"("none")"},
      {"pod_cidr", R"("10.244.0.0/24")"}, {"components", component("https://h/x", kHash, "/opt/a")},
      {"components", component("data:,abc", kHash, "/etc/cni/net.d/a.conflist")},
      {"components", component("https://h/x", kHash, "/var/lib/cstl", R"(,"archive":true)")}};
  for (const Row& row : rows) {
    CAPTURE(row.value);
    std::string problem;
    auto c = ClusterConfig::parse(with(row.name, row.value), &problem);
    CHECK_MESSAGE(c.ok(), problem);
  }
}

TEST_CASE("cluster configuration: pods have IPv6 only where nothing promises to encrypt it") {
  const std::string head = R"({"cstl":"cluster/1","name":"d","kubernetes":"v1.31.0","endpoint":"[fd00::1]:6443",)"
                           R"("service_cidr":"fd00:1::/108","pod_cidr":"fd00:2::/48")";
  std::string problem;
  CHECK(ClusterConfig::parse(head + R"(,"network":"none"})", &problem).ok());
  for (const char* network : {"", R"(,"network":"wireguard")", R"(,"network":"cilium")"}) {
    CAPTURE(network);
    CHECK(ClusterConfig::parse(head + network + "}", &problem).code() == Code::cluster_malformed);
    CHECK(problem == "pod_cidr: is IPv6, which this network would not encrypt");
  }
}

TEST_CASE("cluster configuration: each bad field is refused by name") {
  const std::string url = "https://h/x";
  struct Row { const char* name; std::string value, problem; } rows[] = {
      {"cstl", R"("cluster/2")", "cstl: has an unknown value"},
      {"name", R"("Demo")", "name: is not a name"},
      {"name", R"("")", "name: is empty"},
      {"name", "1", "name: is not a string"},
      {"kubernetes", R"("1.20.2")", "kubernetes: is not a version"},
      {"kubernetes", R"("v1.20")", "kubernetes: is not a version"},
      {"kubernetes", R"("v1.20.")", "kubernetes: is not a version"},
      {"kubernetes", R"("v1.20.2-rc.1")", "kubernetes: is not a version"},
      {"kubernetes", R"("v1.020.2")", "kubernetes: is not a version"},
      {"endpoint", R"("api.example.org:6443")", "endpoint: is not address:port"},
      {"endpoint", R"("10.0.2.15")", "endpoint: is not address:port"},
      {"sans", R"("127.0.0.1")", "sans: is not a list"},
      {"sans", R"(["A.b"])", "sans: holds an entry"},
      {"sans", R"(["a."])", "sans: holds an entry"},
      {"sans", R"([""])", "sans: holds an entry"},
      {"sans", R"(["a\nb"])", "sans: holds an entry"},
      {"sans", R"([1])", "sans: holds an entry"},
      {"service_cidr", R"("10.96.0.0")", "service_cidr: is not an address range"},
      {"service_cidr", R"("10.96.0.1/16")", "service_cidr: has bits behind its prefix"},
      {"service_cidr", R"("10.96.0.0/25")", "service_cidr: is too small a range"},
      {"service_cidr", R"("10.244.0.0/12")", "service_cidr: has bits behind"},
      {"service_cidr", R"("10.0.0.0/8")", "pod_cidr: overlaps service_cidr"},
      {"pod_cidr", R"("10.96.4.0/24")", "pod_cidr: overlaps service_cidr"},
      {"pod_cidr", R"("fd00::/48")", "pod_cidr: is of another family"},
      {"pod_cidr", R"("fd00:0::/48")", "pod_cidr: is not in its shortest form"},
      {"network", R"("flannel")", "network: is neither"},
      {"components", "{}", "components: is not a list"},
      {"components", "[1]", "components.: is not an object"},
      {"components", component("http://h/x", kHash, "/opt/a"), "components.url: is neither"},
      {"components", component("file://h/x", kHash, "/opt/a"), "components.url: is neither"},
      {"components", component("https://h/ x", kHash, "/opt/a"), "components.url: is neither"},
      {"components", component(url, "", "/opt/a"), "components.sha256: "},
      {"components", component(url, "aa", "/opt/a"), "components.sha256: "},
      {"components", component(url, std::string(64, '0'), "/opt/a"), "components.sha256: is zero"},
      {"components", R"([{"url":"https://h/x","path":"/opt/a"}])", "components.sha256: is missing"},
      {"components", component(url, kHash, "/usr/bin/a"), "components.path: is not"},
      {"components", component(url, kHash, "/opt/"), "components.path: is not"},
      {"components", component(url, kHash, "/opt/a/"), "components.path: is not"},
      {"components", component(url, kHash, "/opt/../etc/a"), "components.path: is not"},
      {"components", component(url, kHash, "/opt//a"), "components.path: is not"},
      {"components", component(url, kHash, "/opt/./a"), "components.path: is not"},
      {"components", component(url, kHash, "/opt/a b"), "components.path: is not"},
      {"components", component(url, kHash, "/opt/a", R"(,"archive":1)"), "components.archive: is neither"},
      {"components", component(url, kHash, "/opt/a", R"(,"mode":1)"), "components.: holds an unknown member: mode"},
      {"token", R"("x")", ": holds an unknown member: token"}};
  for (const Row& row : rows) {
    CAPTURE(row.value);
    std::string problem;
    CHECK(ClusterConfig::parse(with(row.name, row.value), &problem).code() == Code::cluster_malformed);
    CHECK_MESSAGE(problem.rfind(row.problem, 0) == 0, problem);
  }
}

TEST_CASE("cluster configuration: a version that is not supported has its own error") {
  for (const char* version : {"v1.19.16", "v1.37.0", "v2.0.0", "v0.20.0"}) {
    CAPTURE(version);
    std::string problem;
    CHECK(ClusterConfig::parse(with("kubernetes", "\"" + std::string(version) + "\""), &problem).code() ==
          Code::kubernetes_version);
    CHECK(problem == "kubernetes: is not a version from v1.20 to v1.36");
  }
}

TEST_CASE("cluster configuration: no JSON, too much of it, or two components as one file") {
  std::string problem;
  CHECK(ClusterConfig::parse("{", &problem).code() == Code::cluster_malformed);
  CHECK(problem == "it is not valid JSON");
  CHECK(ClusterConfig::parse(std::string(kMaxCluster + 1, ' '), &problem).code() == Code::cluster_malformed);
  CHECK(problem == "it is larger than 64 KiB");
  std::string one = component("https://h/x", kHash, "/opt/a");
  one.pop_back();
  CHECK(ClusterConfig::parse(with("components", one + "," + one.substr(1) + "]"), &problem).code() == Code::cluster_malformed);
  CHECK(problem == "components: installs two files as one");
}

}  // namespace cstl
