// A joining control plane becomes a member of etcd: first as a learner, which has no vote, and a voter only once it has the
// data. kubeadm before 1.29 adds a voter at once: from then on a cluster of one needs the newcomer for every write, and if
// that does not start (or kubeadm did not wait for the answer, which it does for two seconds), the cluster is lost.
#pragma once

#include "boot/kubernetes/api.h"
#include "boot/kubernetes/etcd_members.h"
#include "boot/kubernetes/kubeadm.h"
#include "boot/kubernetes/node.h"

namespace cstl::kubernetes {

// Its two halves; `etcd`: any of its members but ours (https, its client certificate), `peer`: our URL for the others.
// A member of ours that can start: the one that is there, or a new learner; one that had data is replaced unless `data`.
// What an answer that was lost has done is seen. Errors: of Api; those of etcd when it refuses for a quarter of a minute.
Result<std::vector<EtcdMember>> ensure_member(Api& etcd, const std::string& peer, bool data, const Report& report);
// Until ours is a voter: etcd refuses until it has caught up. Errors: timeout, not_found (there is none), of Api.
Status promote_member(Api& etcd, const std::string& peer, int patience_ms, const Report& report);

// Whether kubeadm of this version does the same by itself.
bool kubeadm_adds_learners(const KubernetesVersion& version);

// Needs the PKI of a control plane and a running kubelet. Can be repeated at every stage: a member that is there stays,
// one whose data this disk does not hold (the machine is new, its name is not) is replaced. `endpoint`: of the API.
// Blocks until this machine's etcd is a voter. Errors: timeout (it never had the data), those of Api and run_kubeadm.
Status join_etcd(const ClusterConfig& cluster, const NodePlace& node, const std::string& endpoint, Monitor& monitor,
                 const Report& report);

}  // namespace cstl::kubernetes
