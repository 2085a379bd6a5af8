#include <cstdlib>

#include "svc/nodenetwork/inventory.h"

// Node and CstlNode objects, one JSON text a line: whatever they say, peers do not overlap and lie in the range.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  const PodRange range{10u << 24 | 244u << 16, 16};
  Inventory inventory;
  std::string_view rest = Bytes(data, size).text();
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    auto object = parse_json(rest.substr(0, end), 65536, 64);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (!object.ok()) continue;
    const bool record = object->is_object() && object->contains("spec") && (*object)["spec"].is_object() &&
                        (*object)["spec"].contains("wireguardPublicKey");
    (void)(record ? inventory.put_record(*object) : inventory.put_node(*object));  // a refusal is an answer
  }
  const DesiredState state = inventory.desired("one", range);
  if (!state.own && (!state.peers.empty() || !state.skipped.empty())) abort();
  if (!(inventory.desired("one", range) == state)) abort();
  for (size_t i = 0; i < state.peers.size(); ++i) {
    const Peer& peer = state.peers[i];
    if (!range.holds(peer.pods) || peer.pods.overlaps(state.own->pods) || peer.key == state.own->key) abort();
    for (size_t j = 0; j < i; ++j) {
      if (peer.pods.overlaps(state.peers[j].pods) || peer.key == state.peers[j].key) abort();
    }
  }
  return 0;
}
