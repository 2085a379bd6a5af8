// Members of etcd: what the gateway's answers mean, and joining a real etcd with TLS as kubeadm sets it up.
#include "boot/kubernetes/etcd.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/harness/control_plane.h"

namespace cstl::kubernetes {
namespace {

using Json = nlohmann::json;

Json one_member() {
  return {{"ID", "8543087242056840113"}, {"name", "control-plane-0"}, {"peerURLs", {"https://10.0.2.15:2380"}},
          {"clientURLs", {"https://10.0.2.15:2379"}}};
}
Json answer(std::initializer_list<Json> members) { return {{"header", Json::object()}, {"members", Json(members)}}; }
Json with(Json base, const char* name, Json value) {
  base[name] = std::move(value);
  return base;
}

Result<std::vector<EtcdMember>> list(Api& etcd) {
  auto answer = etcd.post("/v3/cluster/member/list", Json::object(), 30'000);
  if (!answer.ok()) return answer.error();
  return parse_members(*answer);
}

}  // namespace

TEST_CASE("etcd: members as the gateway tells them, and what is none") {
  auto good = parse_members(answer({one_member(), {{"ID", "7"}, {"peerURLs", {"https://[fd00::2]:2380"}}, {"isLearner", true}}}));
  REQUIRE(good.ok());
  REQUIRE(good->size() == 2);
  CHECK((*good)[0].name == "control-plane-0");
  CHECK_FALSE((*good)[0].learner);
  CHECK((*good)[1].name.empty());
  CHECK((*good)[1].peer == "https://[fd00::2]:2380");
  CHECK((*good)[1].learner);

  const Json one = one_member();
  struct Row { const char* what; Json answer; const char* site; };
  const Row rows[] = {
      {"no object", Json::array(), "etcd.members"},
      {"no members", {{"header", Json::object()}}, "etcd.members"},
      {"an empty list", answer({}), "etcd.members"},
      {"a member that is text", answer({"one"}), "etcd.id"},
      {"no id", answer({with(one, "ID", nullptr)}), "etcd.id"},
      {"an id that is a number", answer({with(one, "ID", 7)}), "etcd.id"},
      {"an id of letters", answer({with(one, "ID", "7a")}), "etcd.id"},
      {"a long id", answer({with(one, "ID", "123456789012345678901")}), "etcd.id"},
      {"a name that would be two arguments", answer({with(one, "name", "a=b,c")}), "etcd.name"},
      {"a name of another type", answer({with(one, "name", true)}), "etcd.name"},
      {"no peer", answer({with(one, "peerURLs", Json::array())}), "etcd.peer"},
      {"two peers", answer({with(one, "peerURLs", {"https://10.0.2.15:2380", "https://10.0.2.16:2380"})}), "etcd.peer"},
      {"a peer in clear", answer({with(one, "peerURLs", {"http://10.0.2.15:2380"})}), "etcd.peer"},
      {"a peer with a name", answer({with(one, "peerURLs", {"https://one:2380"})}), "etcd.peer"},
      {"a peer with a path", answer({with(one, "peerURLs", {"https://10.0.2.15:2380/x"})}), "etcd.peer"},
      {"a learner in words", answer({with(one, "isLearner", "true")}), "etcd.learner"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    auto parsed = parse_members(row.answer);
    CHECK(parsed.code() == Code::api_garbage);
    CHECK(std::string(parsed.error().site) == row.site);
  }
  Json many = answer({});
  for (size_t i = 0; i <= kMaxEtcdMembers; ++i) many["members"].push_back(one);
  CHECK(parse_members(many).code() == Code::api_garbage);
}

TEST_CASE("etcd: what a machine does about its own member") {
  const std::string own_peer = peer_url(*parse_ip("10.0.2.16"));
  const std::vector<EtcdMember> others = {{"1", "control-plane-0", "https://10.0.2.15:2380", false}};
  struct Row { const char* what; bool there, learner; const char* name; bool data; MemberStep step; };
  const Row rows[] = {
      {"is new", false, false, "", false, MemberStep::add},
      {"is new, with data of another cluster", false, false, "", true, MemberStep::add},
      {"was added, has not started", true, true, "", false, MemberStep::go_on},
      {"was added, and started", true, true, "control-plane-1", true, MemberStep::go_on},
      {"is a voter", true, false, "control-plane-1", true, MemberStep::go_on},
      {"started before, on a disk that is gone", true, true, "control-plane-1", false, MemberStep::remove},
      {"was a voter, on a disk that is gone", true, false, "control-plane-1", false, MemberStep::remove},
      {"was added as a voter, and never started", true, false, "", false, MemberStep::remove},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    std::vector<EtcdMember> members = others;
    if (row.there) members.push_back({"2", row.name, own_peer, row.learner});
    EtcdMember own;
    CHECK(member_step(members, own_peer, row.data, &own) == row.step);
    CHECK(own.id == (row.there ? "2" : ""));
  }
  const std::vector<EtcdMember> three = {others[0], {"2", "", own_peer, true}, {"3", "", "https://10.0.2.17:2380", false}};
  CHECK(initial_cluster(three, own_peer, "control-plane-1") ==
        "control-plane-0=https://10.0.2.15:2380,control-plane-1=https://10.0.2.16:2380,3=https://10.0.2.17:2380");
}

TEST_CASE("etcd: a learner is added once, promoted when it has the data, and replaced when its disk is gone") {
  auto pair = test::Helper::start({"tests/harness/etcd_pair.sh"});
  std::vector<std::string> lines;
  Report report{[](std::string_view) {}, [&](std::string_view line) { lines.emplace_back(line); }};
  auto etcd = Api::open(Access::with_certificate((*pair)["server"], (*pair)["ca"], (*pair)["certificate"], (*pair)["key"]),
                        report);
  REQUIRE(etcd.ok());
  const std::string peer = (*pair)["second"];

  auto added = ensure_member(*etcd, peer, false, report);
  REQUIRE(added.ok());
  auto again = ensure_member(*etcd, peer, false, report);  // an attempt that ended right after the first
  REQUIRE(again.ok());
  CHECK(again->size() == 2);
  EtcdMember own, later;
  CHECK(member_step(*again, peer, false, &own) == MemberStep::go_on);
  CHECK(own.learner);
  CHECK(promote_member(*etcd, peer, 3000, report).code() == Code::timeout);  // it has not even started
  CHECK(list(*etcd)->size() == 2);                                           // and the cluster works without it

  // It starts, and loses its disk: a member that had data must not come back without.
  pair->command("start " + initial_cluster(*again, peer, "two"));
  for (int i = 0; i < 300 && own.name.empty(); ++i, usleep(100'000)) member_step(*list(*etcd), peer, true, &own);
  REQUIRE(own.name == "two");
  pair->command("lose");
  auto anew = ensure_member(*etcd, peer, false, report);
  REQUIRE(anew.ok());
  CHECK(member_step(*anew, peer, false, &later) == MemberStep::go_on);
  CHECK(later.id != own.id);
  own = later;

  pair->command("start " + initial_cluster(*anew, peer, "two"));
  Status promoted = promote_member(*etcd, peer, 60'000, report);
  INFO((lines.empty() ? "" : lines.back()));
  REQUIRE(promoted.ok());
  CHECK(promote_member(*etcd, peer, 0, report).code() == Code::timeout);
  CHECK(promote_member(*etcd, peer, 5000, report).ok());   // again: it is
  auto voters = list(*etcd);
  REQUIRE(voters.ok());
  CHECK(member_step(*voters, peer, true, &later) == MemberStep::go_on);
  CHECK_FALSE(later.learner);
  CHECK(later.id == own.id);
  CHECK(later.name == "two");
  CHECK(promote_member(*etcd, "https://127.0.0.1:1", 5000, report).code() == Code::not_found);
}

}  // namespace cstl::kubernetes
