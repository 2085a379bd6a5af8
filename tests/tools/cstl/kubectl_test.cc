#include "tools/cstl/kubectl.h"

#include <doctest/doctest.h>

using namespace cstl;
using namespace cstl::cli;

TEST_CASE("nodes and why they are not Ready are read from kubectl's answer") {
  auto nodes = parse_nodes(R"({"kind":"List","items":[
    {"metadata":{"name":"control-plane-0"},"status":{"conditions":[
      {"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"True","reason":"KubeletReady"}]}},
    {"metadata":{"name":"worker-0"},"status":{"conditions":[
      {"type":"Ready","status":"False","reason":"KubeletNotReady","message":"no \u001b[2Jnetwork"}]}},
    {"metadata":{"name":"worker-1"}}]})");
  REQUIRE(nodes.ok());
  REQUIRE(nodes->size() == 3);
  CHECK((*nodes)[0].ready);
  CHECK_FALSE((*nodes)[1].ready);
  CHECK((*nodes)[1].why == "KubeletNotReady: no ?[2Jnetwork");
  CHECK_FALSE((*nodes)[2].ready);

  const std::vector<std::string> names = {"control-plane-0", "worker-0", "worker-2"};
  CHECK(nodes_lacking(*nodes, names, NodeGoal::ready) ==
        "worker-0 is not Ready (KubeletNotReady: no ?[2Jnetwork); worker-2 is not registered; ");
  CHECK(nodes_lacking(*nodes, names, NodeGoal::registered) == "worker-2 is not registered; ");
  CHECK(nodes_lacking(*nodes, {"control-plane-0", "worker-0"}, NodeGoal::registered).empty());
}

TEST_CASE("an answer of another shape is refused or gives no Ready node") {
  for (const char* text : {"", "null", "[]", "{}", "{\"items\":{}}", "{\"items\":null}", "{\"items\":[1"}) {
    CAPTURE(text);
    CHECK(parse_nodes(text).code() == Code::bad_json);
  }
  for (const char* text : {"{\"items\":[1]}", "{\"items\":[{\"status\":{\"conditions\":{\"type\":\"Ready\"}}}]}",
                           "{\"items\":[{\"metadata\":7,\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":true}]}}]}"}) {
    CAPTURE(text);
    auto nodes = parse_nodes(text);
    REQUIRE(nodes.ok());
    REQUIRE(nodes->size() == 1);
    CHECK_FALSE((*nodes)[0].ready);
  }
}
