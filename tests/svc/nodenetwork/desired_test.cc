#include "svc/nodenetwork/desired.h"

#include <doctest/doctest.h>

#include "crypto/base/base64.h"
#include "svc/nodenetwork/inventory.h"

namespace cstl {
namespace {

using Json = nlohmann::json;

std::string key_text(uint8_t byte) {
  WireguardKey key;
  key.fill(byte);
  return to_base64(key);
}

Json node(const std::string& name, const std::string& pods, const std::string& address,
          const std::string& created = "2026-01-01T00:00:00Z") {
  return {{"apiVersion", "v1"},
          {"kind", "Node"},
          {"metadata", {{"name", name}, {"creationTimestamp", created}}},
          {"spec", {{"podCIDR", pods}}},
          {"status",
           {{"addresses", {{{"type", "Hostname"}, {"address", name}}, {{"type", "InternalIP"}, {"address", address}}}}}}};
}

Json record(const std::string& name, const std::string& address, const std::string& key) {
  return {{"metadata", {{"name", name}}}, {"spec", {{"address", address}, {"wireguardPublicKey", key}}}};
}

const PodRange kRange = *parse_pod_range("10.244.0.0/16");

// Two good nodes: one (ours) and two.
struct Cluster {
  Inventory inventory;
  Cluster() {
    put(node("one", "10.244.1.0/24", "10.0.2.15"), record("one", "10.0.2.15", key_text(1)));
    put(node("two", "10.244.2.0/24", "10.0.2.16"), record("two", "10.0.2.16", key_text(2)));
  }
  void put(const Json& a_node, const Json& a_record) {
    REQUIRE(inventory.put_node(a_node).ok());
    REQUIRE(inventory.put_record(a_record).ok());
  }
  DesiredState state() const { return inventory.desired("one", kRange); }
};

}  // namespace

TEST_CASE("desired: an attested node is a peer with its own range only") {
  Cluster cluster;
  const DesiredState state = cluster.state();
  REQUIRE(state.own.has_value());
  CHECK(ip_text(state.own->address) == "10.0.2.15");
  CHECK(range_text(state.own->pods) == "10.244.1.0/24");
  CHECK(state.own->key[0] == 1);
  REQUIRE(state.peers.size() == 1);
  CHECK(state.peers[0].node == "two");
  CHECK(state.peers[0].key[31] == 2);
  CHECK(ip_text(state.peers[0].address) == "10.0.2.16");
  CHECK(range_text(state.peers[0].pods) == "10.244.2.0/24");
  CHECK(state.skipped.empty());
  CHECK(cluster.state() == state);
}

TEST_CASE("desired: who is left out, and why") {
  struct Row {
    const char* name;
    Json node;
    Json record;  // null: none
    Skip reason;
  };
  const std::string good = key_text(3);
  const auto three = [](const char* pods) { return node("three", pods, "10.0.2.17"); };
  const Row rows[] = {
      {"without a record", three("10.244.3.0/24"), nullptr, Skip::no_record},
      {"with another's record", three("10.244.3.0/24"), record("four", "10.0.2.17", good), Skip::no_record},
      {"without a key", three("10.244.3.0/24"), record("three", "10.0.2.17", ""), Skip::no_key},
      {"with a key that is no base64", three("10.244.3.0/24"), record("three", "10.0.2.17", "???"), Skip::bad_key},
      {"with a short key", three("10.244.3.0/24"), record("three", "10.0.2.17", "AAAA"), Skip::bad_key},
      {"with the zero key", three("10.244.3.0/24"), record("three", "10.0.2.17", key_text(0)), Skip::bad_key},
      {"with a record of no address", three("10.244.3.0/24"), record("three", "", good), Skip::bad_address},
      {"with a record of a name", three("10.244.3.0/24"), record("three", "three.example", good), Skip::bad_address},
      {"with a record of loopback", three("10.244.3.0/24"), record("three", "127.0.0.1", good), Skip::bad_address},
      {"with a record of multicast", three("10.244.3.0/24"), record("three", "224.0.0.1", good), Skip::bad_address},
      {"at another address than was recorded", three("10.244.3.0/24"), record("three", "10.0.2.18", good),
       Skip::address_differs},
      {"without a range", three(""), record("three", "10.0.2.17", good), Skip::no_range},
      {"with a range that is none", three("10.244.3.0"), record("three", "10.0.2.17", good), Skip::bad_range},
      {"with host bits in its range", three("10.244.3.1/24"), record("three", "10.0.2.17", good), Skip::bad_range},
      {"with an IPv6 range", three("fd00::/64"), record("three", "10.0.2.17", good), Skip::bad_range},
      {"with a range of everything", three("0.0.0.0/0"), record("three", "10.0.2.17", good), Skip::bad_range},
      {"with a range of one address", three("10.244.3.1/32"), record("three", "10.0.2.17", good), Skip::bad_range},
      {"with a range elsewhere", three("10.245.3.0/24"), record("three", "10.0.2.17", good), Skip::outside},
      {"with the machines' range", three("10.0.2.0/24"), record("three", "10.0.2.17", good), Skip::outside},
      {"with a range around the cluster's", three("10.244.0.0/15"), record("three", "10.0.2.17", good), Skip::outside},
      {"with our range", three("10.244.1.0/24"), record("three", "10.0.2.17", good), Skip::overlap},
      {"with a part of our range", three("10.244.1.128/25"), record("three", "10.0.2.17", good), Skip::overlap},
      {"with a range around everyone's", three("10.244.0.0/16"), record("three", "10.0.2.17", good), Skip::overlap},
      {"with our key", three("10.244.3.0/24"), record("three", "10.0.2.17", key_text(1)), Skip::same_key},
      {"with an older node's key", three("10.244.3.0/24"), record("three", "10.0.2.17", key_text(2)), Skip::same_key},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Cluster cluster;
    Json young = row.node;
    young["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z";
    REQUIRE(cluster.inventory.put_node(young).ok());
    if (!row.record.is_null()) REQUIRE(cluster.inventory.put_record(row.record).ok());
    const DesiredState state = cluster.state();
    REQUIRE(state.skipped.size() == 1);
    CHECK(std::string(skip_name(state.skipped[0].reason)) == skip_name(row.reason));
    CHECK(state.skipped[0].node == "three");
    REQUIRE(state.peers.size() == 1);
    CHECK(state.peers[0].node == "two");
  }
}

TEST_CASE("desired: of two nodes that want a range the older one keeps it, whatever their names") {
  for (const char* name : {"aaa", "zzz"}) {
    Cluster cluster;
    cluster.put(node(name, "10.244.2.0/24", "10.0.2.17", "2026-01-01T00:00:01Z"),
                record(name, "10.0.2.17", key_text(3)));
    DesiredState state = cluster.state();
    REQUIRE(state.peers.size() == 1);
    CHECK(state.peers[0].node == "two");
    CHECK(state.skipped[0].reason == Skip::overlap);
    // Once the older one is gone, the other takes part.
    CHECK(cluster.inventory.remove_node(node("two", "", "")));
    state = cluster.state();
    REQUIRE(state.peers.size() == 1);
    CHECK(state.peers[0].node == name);
  }
}

TEST_CASE("desired: any of a Node's InternalIPs may be the recorded one, in another spelling too") {
  Cluster cluster;
  Json three = node("three", "10.244.3.0/24", "10.0.2.17");
  three["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", "fd00:0::17"}});
  cluster.put(three, record("three", "fd00::17", key_text(3)));
  const DesiredState state = cluster.state();
  REQUIRE(state.peers.size() == 2);
  CHECK(ip_text(state.peers[0].address) == "fd00::17");
  // An address of another type is no InternalIP.
  three["status"]["addresses"][2]["type"] = "ExternalIP";
  REQUIRE(cluster.inventory.put_node(three).ok());
  REQUIRE(cluster.state().skipped.size() == 1);
  CHECK(cluster.state().skipped[0].reason == Skip::address_differs);
}

TEST_CASE("desired: a node that is not ready itself has no peers") {
  Cluster cluster;
  CHECK_FALSE(cluster.inventory.desired("nobody", kRange).own.has_value());
  CHECK_FALSE(cluster.inventory.desired("nobody", kRange).own_problem.has_value());
  REQUIRE(cluster.inventory.put_node(node("one", "", "10.0.2.15")).ok());
  const DesiredState state = cluster.state();
  CHECK_FALSE(state.own.has_value());
  REQUIRE(state.own_problem.has_value());
  CHECK(*state.own_problem == Skip::no_range);
  CHECK(state.peers.empty());
}

TEST_CASE("inventory: changes are told, what is equal is not, what is malformed is forgotten") {
  Cluster cluster;
  Json two = node("two", "10.244.2.0/24", "10.0.2.16");
  two["metadata"]["resourceVersion"] = "17";
  two["status"]["images"] = Json::array({1, 2, 3});
  CHECK_FALSE(*cluster.inventory.put_node(two));
  CHECK_FALSE(*cluster.inventory.put_record(record("two", "10.0.2.16", key_text(2))));
  CHECK(*cluster.inventory.put_record(record("two", "10.0.2.16", key_text(9))));
  CHECK(cluster.state().peers[0].key[0] == 9);

  two["spec"]["podCIDR"] = 17;
  CHECK(cluster.inventory.put_node(two).code() == Code::bad_value);
  CHECK(cluster.state().peers.empty());
  CHECK(cluster.state().skipped.empty());
  CHECK_FALSE(cluster.inventory.remove_node(two));
  CHECK(cluster.inventory.remove_record({{"metadata", {{"name", "two"}}}}));
}

TEST_CASE("inventory: what it takes of objects is bounded") {
  struct Row {
    const char* name;
    Json object;
    Code code;
  };
  Json many = node("one", "10.244.1.0/24", "10.0.2.15");
  for (int i = 0; i < 1000; ++i) {
    many["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", "10.1.1.1"}});
  }
  Json odd = node("one", "10.244.1.0/24", "10.0.2.15");
  odd["status"]["addresses"] = "none";
  Json undated = node("one", "10.244.1.0/24", "10.0.2.15", "yesterday");
  const Row rows[] = {
      {"no object", Json::array(), Code::bad_value},
      {"no name", {{"spec", Json::object()}}, Code::bad_value},
      {"a name with a path", node("../one", "10.244.1.0/24", "10.0.2.15"), Code::bad_value},
      {"a name that is too long", node(std::string(254, 'a'), "10.244.1.0/24", "10.0.2.15"), Code::bad_value},
      {"a long range", node("one", std::string(65, '1'), "10.0.2.15"), Code::bad_value},
      {"no date", undated, Code::bad_value},
      {"addresses that are no list", odd, Code::bad_value},
      {"many addresses", many, Code::ok},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    auto facts = parse_node(row.object);
    CHECK(facts.code() == row.code);
    if (facts.ok()) CHECK(facts->addresses.size() == kMaxAddresses);
  }
  Inventory inventory;
  for (size_t i = 0; i < kMaxNodes; ++i) REQUIRE(inventory.put_record(record("n" + std::to_string(i), "", "")).ok());
  CHECK(inventory.put_record(record("late", "", "")).code() == Code::too_long);
  CHECK(inventory.put_record(record("n0", "10.0.2.15", "")).ok());
}

}  // namespace cstl
