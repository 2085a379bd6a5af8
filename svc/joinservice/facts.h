// What the joinservice knows of its cluster, from a folder that Kubernetes mounts (ConfigMap cstl-system/cstl-cluster), and
// the names and addresses that no joining node may have. Read at start and again when it changes; public, but for the PKI
// files, which are read for each control plane's ticket and wiped with it.
//
//   cluster.json       the cluster configuration as given at init; goes into tickets unread, but for the members below
//   measurement-salt   64 hexadecimal digits      owner-key    130 digits: P-256, uncompressed point
//   ca-hash            64 digits: SHA-256 of the cluster CA's SubjectPublicKeyInfo
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "attest/reference/values.h"
#include "crypto/sign.h"

namespace cstl {

constexpr size_t kMaxClusterConfig = 65536;

// A literal IP address; IPv4 fills the first 4 bytes.
struct NodeAddress {
  uint8_t family = 4;   // 4 or 6
  std::array<uint8_t, 16> bytes{};
  bool operator==(const NodeAddress& o) const { return family == o.family && bytes == o.bytes; }
};

// Exactly the canonical text ("10.0.2.15", "fd00::15"), so that equal addresses are equal texts. Errors: bad_value.
Result<NodeAddress> parse_node_address(std::string_view text);

struct AddressRange {
  NodeAddress first;
  unsigned bits = 0;
  bool holds(const NodeAddress& address) const;
};
Result<AddressRange> parse_address_range(std::string_view text);   // "10.96.0.0/16"; bad_value

struct ClusterFacts {
  std::string config;            // JSON
  std::string endpoint;          // "10.0.2.15:6443", "[fd00::1]:6443"
  Digest32 salt{};
  P256Point owner{};
  Digest32 ca_hash{};
  std::vector<std::string> sans;             // names and addresses of the API server's certificate
  std::vector<NodeAddress> reserved;         // of the endpoint and of `sans`
  std::vector<AddressRange> ranges;          // service and pod networks

  // Errors: not_found, too_long, config_malformed (`problem` names the file or member), bad_json, io.
  static Result<ClusterFacts> read(const std::string& folder, std::string* problem);
  // From the texts of the files. Errors as above.
  static Result<ClusterFacts> parse(std::string config, std::string_view salt, std::string_view owner,
                                    std::string_view ca_hash, std::string* problem);

  // A name that the API server's certificate carries, or that programs take for the API server or themselves: a kubelet's
  // serving certificate is signed by the same CA, so a node of that name could pass for it.
  bool reserved_name(std::string_view name) const;
  // Not an address that a node can have: not a host's (loopback, multicast, link-local, unspecified, …), in the service or
  // pod network, or of the endpoint and its certificate (the same danger).
  bool reserved_address(const NodeAddress& address) const;
};

}  // namespace cstl
