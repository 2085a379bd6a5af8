// A joining control plane becomes a member of etcd: first as a learner, which has no vote, and a voter only once it has the
// data. kubeadm before 1.29 adds a voter at once: from then on a cluster of one needs the newcomer for every write, and if
// that does not start (or kubeadm did not wait for the answer, which it does for two seconds), the cluster is lost.
#pragma once

#include "boot/kubernetes/kubeadm.h"
#include "boot/kubernetes/node.h"

namespace cstl::kubernetes {

// Whether kubeadm of this version does the same by itself.
bool kubeadm_adds_learners(const KubernetesVersion& version);

// Needs the PKI of a control plane and a running kubelet. Can be repeated at every stage: a member that is there stays,
// one whose data this disk does not hold (the machine is new, its name is not) is replaced. `endpoint`: of the API.
// Blocks until this machine's etcd is a voter. Errors: timeout (it never had the data), those of Api and run_kubeadm.
Status join_etcd(const ClusterConfig& cluster, const NodePlace& node, const std::string& endpoint, Monitor& monitor,
                 const Report& report);

}  // namespace cstl::kubernetes
