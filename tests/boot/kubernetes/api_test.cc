// What a new cluster gets, against a real API server; and API servers that are none.
#include "boot/kubernetes/api.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <set>
#include <unistd.h>

#include "boot/kubernetes/objects.h"
#include "crypto/base/fd.h"
#include "tests/harness/control_plane.h"

namespace cstl::kubernetes {
namespace {

using cstl::test::ControlPlane;
using cstl::test::Helper;

Access admin() {
  Helper& plane = ControlPlane::shared();
  return Access::with_certificate(plane["server"], plane["ca"], plane["certificate"], plane["key"]);
}

struct Told {
  std::vector<std::string> lines;
  Report report{[](std::string_view) {}, [this](std::string_view line) { lines.emplace_back(line); }};
};

// policy/kubernetes as the image's build compiles it.
std::vector<Json> image_manifests() {
  std::string path = "/tmp/cstl-manifests-" + std::to_string(getpid());
  REQUIRE(std::system(("python3 -I initrd/image/manifests.py policy/kubernetes/*.yaml > " + path).c_str()) == 0);
  auto text = read_file(path.c_str(), kMaxManifests);
  unlink(path.c_str());
  REQUIRE(text.ok());
  std::string problem;
  auto manifests = parse_manifests(Bytes(*text).text(), &problem);
  REQUIRE_MESSAGE(manifests.ok(), problem);
  return *manifests;
}

FirstNode first_node() {
  FirstNode out;
  out.node.name = "control-plane-0";
  out.node.role = Role::control_plane;
  out.address = *parse_ip("10.0.2.15");
  out.reference_set = "one";
  out.wireguard_key.fill(9);
  out.now = 1790000000;
  return out;
}

}  // namespace

TEST_CASE("api: an API server takes everything that a new cluster gets, a second time too") {
  Told told;
  auto api = Api::open(admin(), told.report);
  REQUIRE(api.ok());
  MasterSecret master;
  master.key.fill().data()[0] = 1;
  ClusterConfig cluster = *ClusterConfig::parse(R"({"cstl":"cluster/1","name":"demo","kubernetes":"v1.20.2",)"
                                                R"("endpoint":"10.0.2.15:6443","service_cidr":"10.96.0.0/16",)"
                                                R"("pod_cidr":"10.244.0.0/16"})",
                                                nullptr);
  for (int round = 0; round < 2; ++round) {
    for (const Json& object : image_manifests()) {
      CAPTURE(object["metadata"]["name"].get<std::string>());
      CHECK(api->apply(object, 30'000).ok());
    }
    CHECK(api->apply(master_secret_object(master), 30'000).ok());
    CHECK(api->apply(cluster_object(cluster, first_node(), Digest32{}), 30'000).ok());
    CHECK(api->apply(reference_values_object("{}"), 30'000).ok());
    CHECK(api->apply(node_object(first_node()), 30'000).ok());
  }
  auto node = api->get("/apis/cstl.dev/v1alpha1/cstlnodes/control-plane-0", 0);
  REQUIRE(node.ok());
  CHECK((*node)["spec"] == node_object(first_node())["spec"]);  // the schema keeps every member
  CHECK(api->remove("/api/v1/namespaces/cstl-system/secrets/cstl-master-secret", 0).ok());
  CHECK(api->remove("/api/v1/namespaces/cstl-system/secrets/cstl-master-secret", 0).ok());
}

TEST_CASE("api: a cluster gets the manifests of its configuration, and with another network nothing of ours for it") {
  const std::vector<Json> all = image_manifests();
  struct Row { const char* network; size_t left_out; } rows[] = {{"cilium", 4}, {"none", 4}, {"wireguard", 0}};
  Told told;
  // Its own server, which nothing was applied to; the rows come in the order of their objects.
  auto plane = ControlPlane::start();
  REQUIRE(plane != nullptr);
  auto api = Api::open(
      Access::with_certificate((*plane)["server"], (*plane)["ca"], (*plane)["certificate"], (*plane)["key"]), told.report);
  REQUIRE(api.ok());
  const auto listed = [&api](const std::string& path) {
    std::set<std::string> names;
    auto list = api->get(path, 30'000);
    REQUIRE(list.ok());
    for (const Json& item : (*list)["items"]) {
      const std::string name = item["metadata"]["name"].get<std::string>();
      if (name.rfind("cstl-", 0) == 0) names.insert(name);
    }
    return names;
  };
  for (const Row& row : rows) {
    CAPTURE(row.network);
    ClusterConfig cluster = *ClusterConfig::parse(
        R"({"cstl":"cluster/1","name":"demo","kubernetes":"v1.20.2","endpoint":"10.0.2.15:6443",)"
        R"("service_cidr":"10.96.0.0/16","pod_cidr":"10.244.0.0/16","network":")" + std::string(row.network) + "\"}",
        nullptr);
    const std::vector<Json> chosen = chosen_manifests(cluster, all);
    CHECK(chosen.size() + row.left_out == all.size());
    for (const Json& object : chosen) REQUIRE(api->apply(object, 30'000).ok());
    std::set<std::string> programs = {"cstl-joinservice", "cstl-keyservice", "cstl-verificationservice-control-plane",
                                      "cstl-verificationservice-worker"};
    std::set<std::string> clients = {"cstl-joinservice"};  // that have rights in the whole cluster
    if (row.left_out == 0) {
      programs.insert("cstl-nodenetwork");
      clients.insert("cstl-nodenetwork");
    }
    CHECK(listed("/apis/apps/v1/namespaces/cstl-system/daemonsets") == programs);
    CHECK(listed("/apis/rbac.authorization.k8s.io/v1/clusterroles") == clients);
    CHECK(listed("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings") == clients);
    CHECK(listed("/api/v1/namespaces/cstl-system/serviceaccounts").count("cstl-nodenetwork") == (row.left_out == 0));
  }
}

TEST_CASE("api: a node that never registers has an error of its own") {
  Told told;
  auto api = Api::open(admin(), told.report);
  REQUIRE(api.ok());
  CHECK(api->wait_for_node("nobody", 1500).code() == Code::node_not_registered);
}

TEST_CASE("api: an object that the server does not want is refused at once, in its words") {
  Told told;
  auto api = Api::open(admin(), told.report);
  REQUIRE(api.ok());
  Json bad = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "Bad Name"}, {"namespace", "default"}}}};
  CHECK(api->apply(bad, 60'000).code() == Code::api_refused);
  REQUIRE(told.lines.size() == 1);
  CHECK(told.lines[0].rfind("API server: ", 0) == 0);
}

TEST_CASE("api: without an API server it gives up after its patience") {
  Told told;
  Access access = admin();
  access.server = "https://127.0.0.1:1";
  auto api = Api::open(access, told.report);
  REQUIRE(api.ok());
  int64_t before = monotonic_ms();
  CHECK(api->get("/api/v1/nodes", 1500).code() == Code::api_unreachable);
  CHECK(monotonic_ms() - before < 20'000);
}

TEST_CASE("api: a server that answers garbage is none") {
  Helper& plane = ControlPlane::shared();
  test::make_certificate(plane["folder"], "boot-bad", plane["ca"], plane["ca_key"]);
  auto bad = test::start_bad_server(plane["folder"] + "/boot-bad.crt", plane["folder"] + "/boot-bad.key");
  Told told;
  Access access = admin();
  access.server = "https://127.0.0.1:" + (*bad)["port"];
  auto api = Api::open(access, told.report);
  REQUIRE(api.ok());
  CHECK(api->get("/garbage", 0).code() == Code::api_garbage);
}

}  // namespace cstl::kubernetes
