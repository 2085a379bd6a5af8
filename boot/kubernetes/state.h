// How far Kubernetes was set up on this node: kubernetes.json on the state disk, durable. Nothing in it is secret.
//
// {"cstl":"kubernetes/1","phase":"joining"|"complete","address":"10.0.2.16","endpoint":"10.0.2.15:6443",
//  "cluster":{…}}
//
// A first control plane has none before it is complete: its disk is sealed last, so one that fails starts afresh. A node
// that joins is sealed first, with everything of its ticket on the disk, and goes on at every boot until it is complete.
#pragma once

#include "attest/reference/values.h"
#include "boot/cluster/config.h"

namespace cstl::kubernetes {

constexpr size_t kMaxState = kMaxCluster + 16 * 1024;

enum class Phase : uint8_t { joining, complete };

struct SetupState {
  Phase phase = Phase::joining;
  IpAddress address;                 // this node's
  std::string endpoint;              // of the API, "ip:port"
  ClusterConfig cluster;

  // Errors: kubernetes_state; `problem` (may be null) says what is wrong.
  static Result<SetupState> parse(std::string_view json, std::string* problem);
  // Deterministic; parses back to itself.
  std::string to_json() const;
  // load: also not_found, io. store: atomic and durable; io, no_space.
  static Result<SetupState> load(const std::string& path, std::string* problem);
  Status store(const std::string& path) const;
};

}  // namespace cstl::kubernetes
