#include "svc/joinservice/node_object.h"

#include <doctest/doctest.h>

#include <set>

#include "crypto/base/utc.h"
#include "svc/joinservice/certificates.h"
#include "svc/joinservice/control_lock.h"
#include "svc/joinservice/token.h"

namespace cstl {
namespace {

using Json = nlohmann::json;
constexpr int64_t kNow = 1800000000;

NodeRecord record() {
  NodeRecord out;
  out.disk = Uuid{0xaa};
  out.identity = PlatformIdentity{7};
  out.name = "worker-0";
  out.reference_set = "demo-1";
  out.first_joined = kNow;
  out.address = "10.0.2.16";
  out.wireguard_key = WireguardKey{9};
  return out;
}

TEST_CASE("a record reads back from its object") {
  const Json object = object_of_record(record(), "17");
  CHECK(object_meta(object, "resourceVersion") == "17");
  auto back = record_of_object(object);
  REQUIRE(back.ok());
  CHECK(back->to_json() == record().to_json());
  CHECK(back->address == "10.0.2.16");
  CHECK(back->wireguard_key == record().wireguard_key);
  NodeRecord without = record();
  without.wireguard_key = {};
  CHECK(record_of_object(object_of_record(without, ""))->wireguard_key == WireguardKey{});
}

TEST_CASE("an object that is no record is refused, and still holds its disk if that can be read anywhere") {
  struct Row {
    const char* member;
    Json value;
    bool disk;
  };
  const Row rows[] = {
      {"disk", "AA", true}, {"disk", 7, true},         {"identity", "00", true},      {"role", "admin", true},
      {"role", nullptr, true}, {"referenceSet", "a b", true}, {"variant", "none", true}, {"address", "10.0.2.016", true},
      {"address", "", true},   {"firstJoined", "yesterday", true}, {"wireguardPublicKey", "AAAA", true},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.member));
    Json object = object_of_record(record(), "");
    object["spec"][row.member] = row.value;
    CHECK(record_of_object(object).code() == Code::record_malformed);
    CHECK(disk_of_object(object).has_value() == row.disk);
  }
  Json object = object_of_record(record(), "");
  object["spec"]["disk"] = "x";
  object["metadata"].erase("labels");
  CHECK_FALSE(disk_of_object(object).has_value());
  object["metadata"]["name"] = "Not.A.Name";
  CHECK(object_name(object).empty());
  for (const Json& odd : {Json(), Json(7), Json::array(), Json{{"spec", 1}}, Json{{"metadata", {{"labels", 2}}}}}) {
    CHECK_FALSE(record_of_object(odd).ok());
    CHECK_FALSE(disk_of_object(odd).has_value());
    CHECK(object_name(odd).empty());
  }
}

TEST_CASE("tokens have kubeadm's form, differ, and end after fifteen minutes") {
  std::set<std::string> seen;
  std::map<char, int> digits;
  for (int i = 0; i < 2000; ++i) {
    auto token = make_token();
    REQUIRE(token.ok());
    std::string text(token->declassify().text());
    REQUIRE(text.size() == kTokenSize);
    CHECK(text[kTokenIdSize] == '.');
    for (size_t at = 0; at < text.size(); ++at) {
      if (at != kTokenIdSize) ++digits[text[at]];
    }
    seen.insert(text);
  }
  CHECK(seen.size() == 2000);
  CHECK(digits.size() == 36);
  for (const auto& drawn : digits) {  // 44000 draws: 1222 each, give or take 35
    INFO(std::string(1, drawn.first));
    CHECK(drawn.second > 1222 - 250);
    CHECK(drawn.second < 1222 + 250);
  }
  auto token = make_token();
  Json secret = token_object(*token, "worker-0", kNow);
  CHECK(secret["metadata"]["name"] == "bootstrap-token-" + token_id(*token));
  CHECK(secret["stringData"]["expiration"] == utc_text(kNow + 900));
  CHECK(secret["stringData"]["auth-extra-groups"] == "system:bootstrappers:kubeadm:default-node-token");
}

Json node(const char* joined) {
  Json out = {{"metadata", {{"name", "control-1"}, {"labels", {{"node-role.kubernetes.io/control-plane", ""}}}}},
              {"status", {{"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}}}};
  if (joined != nullptr) out["metadata"]["annotations"] = {{kJoinedAnnotation, joined}};
  return out;
}

TEST_CASE("the lease of control planes: who holds it, for how long, and when its holder has joined") {
  Json lease = lease_object("control-1", "", kNow, "");
  CHECK(lease_state(lease, kNow).seconds_left == kLeaseSeconds);
  CHECK(lease_state(lease, kNow + 899).seconds_left == 1);
  CHECK(lease_state(lease, kNow + 900).seconds_left == 0);
  CHECK(lease_state(lease, kNow).holder == "control-1");
  CHECK(lease_state(free_lease("5"), kNow).holder.empty());
  for (const char* member : {"acquireTime", "leaseDurationSeconds"}) {  // a holder without times holds
    Json odd = lease;
    odd["spec"].erase(member);
    CHECK(lease_state(odd, kNow + 5000).seconds_left == kLeaseSeconds);
  }
  Json future = lease_object("control-1", "", kNow + 100000, "");
  CHECK(lease_state(future, kNow).seconds_left == kLeaseSeconds);

  LeaseState state = lease_state(lease, kNow);
  CHECK(node_has_joined(node("t1"), state));
  CHECK_FALSE(node_has_joined(node(nullptr), state));  // Ready and labelled: kubeadm may not be done with etcd
  CHECK_FALSE(node_has_joined(node(""), state));
  CHECK_FALSE(node_has_joined(Json::object(), state));
  // It has been there before, and may still count as Ready while it joins again.
  LeaseState again = lease_state(lease_object("control-1", joined_mark(node("t1")), kNow, ""), kNow);
  CHECK_FALSE(node_has_joined(node("t1"), again));
  CHECK(node_has_joined(node("t2"), again));
  LeaseState other = lease_state(lease_object("control-2", "", kNow, ""), kNow);
  CHECK_FALSE(node_has_joined(node("t1"), other));
}

TEST_CASE("serving certificates: only for the node that asks, and only once it is on record") {
  Nodes nodes;
  Json request = {{"metadata", {{"name", "csr-1"}}},
                  {"spec", {{"username", "system:node:worker-0"}, {"groups", {"system:nodes", "system:authenticated"}},
                            {"usages", {"digital signature", "server auth"}}, {"request", "AAAA"}}}};
  auto site = [&](const Json& object) { return std::string(judge_serving_request(object, nodes).error().site); };
  CHECK(site(request) == "csr.pem");
  Json odd = request;
  odd["spec"]["username"] = "system:serviceaccount:default:default";
  CHECK(site(odd) == "serving.user");
  odd = request;
  odd["spec"]["groups"] = {"system:authenticated"};
  CHECK(site(odd) == "serving.group");
  odd = request;
  odd["spec"]["usages"].push_back("client auth");
  CHECK(site(odd) == "serving.usages");
  odd = request;
  odd["spec"]["usages"] = {"digital signature"};
  CHECK(site(odd) == "serving.usages");
  CHECK(site(Json()) == "serving.user");
}

}  // namespace
}  // namespace cstl
