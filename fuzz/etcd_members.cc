#include <cstdlib>

#include "boot/kubernetes/etcd_members.h"

// An answer of etcd's gateway, as the client of the API hands it over: parsed JSON. What is accepted has its place in a
// command line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  using namespace cstl::kubernetes;
  auto json = parse_json(Bytes(data, size).text(), 1 << 20);
  if (!json.ok()) return 0;
  auto members = parse_members(*json);
  if (!members.ok()) {
    if (members.code() != Code::api_garbage) abort();
    return 0;
  }
  const std::string peer = peer_url(*parse_ip("10.0.2.16"));
  EtcdMember own;
  const MemberStep step = member_step(*members, peer, size % 2 == 0, &own);
  if ((step == MemberStep::add) != own.peer.empty()) abort();
  const std::string text = initial_cluster(*members, peer, "own");
  size_t commas = 0, equals = 0;
  for (char c : text) {
    if (c <= ' ' || c > '~') abort();
    commas += c == ',';
    equals += c == '=';
  }
  if (equals != members->size() || commas + 1 != equals) abort();
  return 0;
}
