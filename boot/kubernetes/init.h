// The first control plane: `kubeadm init`, then what makes the cluster ours.
//
// The state disk is not sealed yet: a failure, a crash or a power cut leaves a machine that starts afresh at its next boot
// and can be initialised again. Every step is told; programs that fail have their last lines told too.
#pragma once

#include "boot/kubernetes/node.h"
#include "boot/kubernetes/objects.h"

namespace cstl::kubernetes {

struct InitPlan {
  const ClusterConfig& cluster;
  const FirstNode& first;
  const MasterSecret& master;
  const std::string& reference_values;
  const std::string& state_file;      // kubernetes.json, written last
};

// The administrator's kubeconfig, which is secret. Errors: those of the steps, see boot/kubernetes/node.h and api.h;
// manifests_malformed; too_long (kubeconfig).
Result<SecretBuffer> set_up_control_plane(const InitPlan& plan, Monitor& monitor, const Report& report);

}  // namespace cstl::kubernetes
