// Cluster configuration: what the owner decides about a Kubernetes cluster, given once, with the init request that he
// signs; machines that join get the same bytes in their tickets. Made by the CLI, used by the bootstrapper, opaque to the
// services in between. Nothing in it is secret.
//
// {"cstl":"cluster/1","name":"demo","kubernetes":"v1.30.2","endpoint":"10.0.2.15:6443","sans":["api.example.org"],
//  "service_cidr":"10.96.0.0/16","pod_cidr":"10.244.0.0/16","network":"wireguard",
//  "components":[{"url":"https://…","sha256":"<64 hex digits>","path":"/opt/cstl/bin/kubelet","archive":false}]}
//
// Mandatory: cstl, name, kubernetes, endpoint, service_cidr, pod_cidr. Defaults: no sans, network "wireguard", no
// components, archive false. Refused: more than 64 KiB, unknown or repeated fields, wrong types, anything outside of the
// forms below. Parsing allocates and does no I/O.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/base/address.h"
#include "svc/wire/init.h"

namespace cstl {

constexpr size_t kMaxClusterName = 63;
constexpr size_t kMaxSans = 32;
constexpr size_t kMaxComponents = 64;
constexpr size_t kMaxComponentUrl = 48 * 1024;  // data: URLs carry small files whole
constexpr size_t kMaxComponentPath = 256;

// "v1.20.2": plain releases only.
struct KubernetesVersion {
  uint16_t major = 1, minor = 0, patch = 0;
  // Errors: bad_value (form).
  static Result<KubernetesVersion> parse(std::string_view text);
  std::string text() const;
  // Errors: kubernetes_version. From 1.20, whose kubeadm is the oldest that this configures and is tested with, up to
  // kNewestMinor, the newest whose configuration API is known to be v1beta4.
  Status supported() const;
};
constexpr uint16_t kOldestMinor = 20;
constexpr uint16_t kNewestMinor = 36;

// Who carries packets between pods of different nodes.
enum class PodNetwork : uint8_t {
  wireguard,  // cstl-nodenetwork, built in
  cilium,     // installed by the owner, with what `cstl config cilium` prints; this only leaves the field free
  none,       // the owner's business, and so is whether anything is encrypted
};
const char* pod_network_name(PodNetwork network);

// A file that every node fetches at its first boot.
struct Component {
  std::string url;        // https://…, file:///… or data:…; printable ASCII without spaces
  Digest32 sha256{};      // of what the URL gives; all zeros is refused
  std::string path;       // where it is installed: absolute, normalised, below /opt/, /var/lib/ or /etc/cni/
  bool archive = false;   // unpacked into `path`, a folder
};

struct ClusterConfig {
  std::string name;                      // valid_node_name (svc/wire/join.h)
  KubernetesVersion kubernetes;          // one that is supported
  Endpoint endpoint;                     // of the API: the first control plane's, or of a load balancer in front of them
  std::vector<std::string> sans;         // more names and addresses in the API server's certificate
  IpPrefix service_cidr;                 // both: host bits zero, room for at least 256 addresses, no overlap, one family
  IpPrefix pod_cidr;                     // room for at least one /24 (IPv6: /64) per node
  PodNetwork network = PodNetwork::wireguard;  // pods are IPv4 unless it is none: nobody would encrypt IPv6
  std::vector<Component> components;

  // Errors: kubernetes_version (not supported), cluster_malformed; `problem` (may be null) then names the field and what
  // is wrong with it.
  static Result<ClusterConfig> parse(std::string_view json, std::string* problem);
  // Deterministic; parses back to itself.
  std::string to_json() const;
};

// "10.244.0.0/16"
std::string prefix_text(const IpPrefix& prefix);

}  // namespace cstl
