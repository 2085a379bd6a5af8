// Configuration files for kubeadm: JSON documents, joined by "---" lines, which is YAML. Pure functions.
//
// kubeadm's configuration API follows the version: v1beta2 below 1.22, v1beta3 to 1.30, v1beta4 (arguments as lists) from
// 1.31. What the documents decide beyond kubeadm's defaults, and why, is in docs/kubernetes.md.
#pragma once

#include "boot/cluster/config.h"

namespace cstl::kubernetes {

constexpr const char* kContainerdSocket = "/run/containerd/containerd.sock";
constexpr const char* kConfigFolder = "/etc/kubernetes/cstl";             // mounted into the API server, read-only
constexpr const char* kEncryptionFile = "/etc/kubernetes/cstl/encryption.json";
constexpr const char* kAuditPolicyFile = "/etc/kubernetes/cstl/audit-policy.json";
constexpr const char* kKubeadmFolder = "/etc/kubernetes/kubeadm";         // for kubeadm alone
constexpr const char* kKubeadmFile = "/etc/kubernetes/kubeadm/config.json";
constexpr const char* kPatchesFolder = "/etc/kubernetes/kubeadm/patches";
constexpr const char* kDiscoveryFile = "/etc/kubernetes/kubeadm/discovery.conf";
constexpr const char* kPluginFolder = "/var/lib/kubelet/volumeplugins";   // kubeadm's default lies on the read-only root
constexpr uint16_t kApiPort = 6443;

enum class ConfigApi : uint8_t { v1beta2, v1beta3, v1beta4 };
// Errors: kubernetes_version.
Result<ConfigApi> config_api(const KubernetesVersion& version);

// This machine, as a node.
struct NodePlace {
  std::string name;
  IpAddress address;
};

// For `kubeadm init`: Init-, Cluster-, Kubelet- and KubeProxyConfiguration. `token`: the bootstrap token that kubeadm
// wants to make; it is deleted right afterwards. Secret because of it. Errors: kubernetes_version.
Result<std::string> init_configuration(const ClusterConfig& cluster, const NodePlace& node, std::string_view token);

// For `kubeadm join`: JoinConfiguration, discovery by kDiscoveryFile. Errors: kubernetes_version.
Result<std::string> join_configuration(const ClusterConfig& cluster, const NodePlace& node, bool control_plane);

// For `kubeadm init phase etcd local`: the member of a joining control plane; `initial`: etcd's --initial-cluster, which
// names it too. Errors: kubernetes_version.
Result<std::string> etcd_configuration(const ClusterConfig& cluster, const NodePlace& node, const std::string& initial);

// The arguments behind `kubeadm init --config FILE` or `kubeadm join --config FILE` that its configuration has no place
// for in this version. `skip`: phases.
std::vector<std::string> kubeadm_arguments(ConfigApi api, const std::vector<std::string>& skip);

}  // namespace cstl::kubernetes
