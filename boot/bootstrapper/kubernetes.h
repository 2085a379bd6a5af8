// The bootstrapper's part in Kubernetes: what the root process does with an admission that brings a cluster, and at every
// later boot of such a node. Logs what happens; the engine is boot/kubernetes/.
#pragma once

#include <optional>

#include "boot/bootstrapper/handover.h"
#include "boot/bootstrapper/settings.h"
#include "boot/join/client.h"
#include "boot/kubernetes/node.h"

namespace cstl {

// What a node offers with a join request, and the private halves. Made anew at each boot before it entered a cluster.
struct NodeKeys {
  SigningKey kubelet;
  Secret<32> wireguard;
  NodeOffer offer;
  // None when this machine's image has no containerd. Errors: no_entropy, crypto_failed.
  static Result<std::optional<NodeKeys>> make(const Metadata& metadata);
};

// Tells the log and, on `waiter`, the client of an init. `step` is set to the last step.
kubernetes::Report report_to(int waiter, std::string* step);

// Enters the cluster of the admission (enter_cluster) with all that Kubernetes needs in between. For an init, the cluster
// is up when this returns, and the result is the administrator's kubeconfig (secret); for a join it is empty, and the rest
// is finish_kubernetes(). `still_wanted` is asked once, before the disk is sealed, by an init only: an error ends it there.
// Errors: those of enter_cluster, of the engine and of still_wanted; unsupported: an image without containerd.
Result<SecretBuffer> enter_kubernetes(const Admission& admission, const Metadata& metadata, const Settings& settings,
                                      const NodeKeys* keys, NodeLock& lock, Platform& platform, Monitor& monitor,
                                      const kubernetes::Report& report,
                                      const std::function<Status()>& still_wanted);

// Brings the node up, again and again until it is: a join that is not complete goes on, a complete node starts containerd
// and kubelet. `admission` (may be null): of this boot, whose ticket's token the first attempt uses. Errors: those of
// SetupState::load.
Status finish_kubernetes(const NodeState& node, const Settings& settings, const Admission* admission, Monitor& monitor);

}  // namespace cstl
