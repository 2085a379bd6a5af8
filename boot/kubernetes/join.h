// A node that joins: what its ticket brings goes to the disk before the disk is sealed; then `kubeadm join`, at once and,
// when that fails or the machine goes down, again and again until the node is complete.
//
// The kubelet's certificate comes with the ticket, so there is no TLS bootstrap. The first attempt reads the cluster's
// configuration with the ticket's bootstrap token; later ones with that certificate, since the token lives for minutes.
#pragma once

#include "boot/kubernetes/kubeadm.h"
#include "boot/kubernetes/node.h"
#include "boot/kubernetes/state.h"
#include "crypto/sign.h"
#include "svc/wire/join.h"

namespace cstl::kubernetes {

// Form and consistency: configuration, endpoint, token, CA and its hash, certificate, and that it is a ticket for `role`.
// Errors: bad_value, bad_certificate, cluster_malformed, kubernetes_version; the site names what is wrong.
Result<ClusterConfig> check_kubernetes_ticket(const KubernetesTicket& ticket, Role role);

// Everything of the ticket but its token, durably; kubernetes.json last, which says `joining`. Errors: those of
// check_kubernetes_ticket, bad_key (the certificate is not for `kubelet_key`), io, no_space.
Status write_join_files(const KubernetesTicket& ticket, Role role, const NodePlace& node, const SigningKey& kubelet_key,
                        const std::string& state_file);

// One attempt; on success kubernetes.json says `complete`. `token` may be empty. Errors: those of the steps.
Status finish_join(SetupState& state, Role role, const NodePlace& node, std::string_view token, Monitor& monitor,
                   const Report& report, const std::string& state_file);

}  // namespace cstl::kubernetes
