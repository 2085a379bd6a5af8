// Node state: what a machine that belongs to a cluster knows about itself, in node.json on its encrypted state disk.
// Nothing in it is secret; the disk's integrity protection guards it, and PCR 15 proves the clusterID to others. A disk
// that holds a node.json is sealed: init and join are over for good.
//
// {"cstl":"node-state/1","name":"…","role":"worker","variant":"qemu-vtpm","cluster_id":"<64 hex digits>",
//  "measurement_salt":"<64 hex digits>","owner_key":"<130 hex digits>","kubernetes":true}; every field mandatory but the
// last, which is false without it; unknown ones refused.
#pragma once

#include <string>

#include "attest/reference/values.h"
#include "crypto/sign.h"

namespace cstl {

constexpr size_t kMaxNodeState = 4096;
constexpr const char* kStateFolder = "/run/cstl/state";
constexpr const char* kNodeStateFile = "/run/cstl/state/node.json";

struct NodeState {
  std::string name;                      // valid_node_name (svc/wire/join.h)
  Role role = Role::worker;
  Variant variant = Variant::qemu_vtpm;
  Digest32 cluster_id{};
  Digest32 measurement_salt{};           // with the measurement key of a rejoin or recovery it gives cluster_id
  P256Point owner_key{};                 // 0x04 ‖ X ‖ Y
  bool kubernetes = false;               // a node of a Kubernetes cluster: kubernetes.json says more (boot/kubernetes/state.h)

  // Errors: node_state; then `problem` (may be null) names the field.
  static Result<NodeState> parse(std::string_view json, std::string* problem);
  // Deterministic; parses back to itself.
  std::string to_json() const;

  // Errors of load: not_found (a fresh disk), node_state, io. store is atomic and durable (crypto/base/fd.h): io, no_space.
  static Result<NodeState> load(const char* path, std::string* problem);
  Status store(const char* path) const;
};

}  // namespace cstl
