// What this node's network is to be, from what Kubernetes says: a pure function of Node and CstlNode objects.
//
// A node is a peer only if its identity was attested: a CstlNode of the Node's name exists (only joinservices write
// them), holds a WireGuard key, and its recorded address is one that the Node claims. Its pod range must lie within the
// cluster's and overlap no other's: of two that overlap, the Node that was created first keeps it, and this node keeps
// its own in any case. Everyone else is left out, with a reason, and nothing of theirs is routed.
//
// Parsing is total: objects may be any JSON (sizes and nesting are the caller's limits, svc/kubernetes/client.h); what
// is kept of one is bounded. No I/O, no logging; nothing is secret.
#pragma once

#include <map>
#include <vector>

#include "crypto/base/json.h"
#include "svc/nodenetwork/address.h"

namespace cstl {

constexpr size_t kMaxNodes = 5000;               // what Kubernetes supports; later ones are not kept
constexpr size_t kMaxAddresses = 8;              // InternalIPs of one Node that are looked at
constexpr size_t kMaxObjectName = 253;           // RFC 1123 subdomain
constexpr uint16_t kWireguardPort = 51820;

using WireguardKey = std::array<uint8_t, 32>;    // a public key

// A Node, as far as it matters here. The texts are judged later, so that what is wrong with them has a reason.
struct NodeFacts {
  std::string created;                           // metadata.creationTimestamp, RFC 3339; sorts as text
  std::string pod_range;                         // spec.podCIDR; empty: none yet
  std::vector<std::string> addresses;            // status.addresses of type InternalIP
  bool operator==(const NodeFacts& o) const {
    return created == o.created && pod_range == o.pod_range && addresses == o.addresses;
  }
};

// A CstlNode, as far as it matters here.
struct RecordFacts {
  std::string address;
  std::string key;                               // base64; empty: none
  bool operator==(const RecordFacts& o) const { return address == o.address && key == o.key; }
};

// metadata.name; empty when there is none of a possible form.
std::string object_name(const nlohmann::json& object);
// Errors: bad_value, with a site that names the member.
Result<NodeFacts> parse_node(const nlohmann::json& object);
Result<RecordFacts> parse_record(const nlohmann::json& object);

enum class Skip : uint8_t {
  no_record,        // no CstlNode of that name: it never joined, or was forgotten
  no_key,           // it joined without a WireGuard key
  bad_key,          // the key is not 32 bytes of base64, or zero
  bad_address,      // the recorded address is none
  address_differs,  // the Node claims other addresses than the one that was recorded
  no_range,         // no podCIDR yet
  bad_range,        // the podCIDR is not an IPv4 network of a possible size
  outside,          // the podCIDR lies outside the cluster's pod range
  overlap,          // the podCIDR belongs to this node or to an older Node
  same_key,         // the key is this node's, or an older Node's
};
constexpr size_t kSkips = 10;
const char* skip_name(Skip reason);              // "no_record"
const char* skip_what(Skip reason);

struct Peer {
  std::string node;
  WireguardKey key{};
  IpAddress address;                             // endpoint, with kWireguardPort
  PodRange pods;
  bool operator==(const Peer& o) const {
    return node == o.node && key == o.key && address == o.address && pods == o.pods;
  }
};

struct Skipped {
  std::string node;
  Skip reason;
  bool operator==(const Skipped& o) const { return node == o.node && reason == o.reason; }
};

struct OwnNode {
  IpAddress address;
  PodRange pods;
  WireguardKey key{};                            // what the others are told to use for us
  bool operator==(const OwnNode& o) const { return address == o.address && pods == o.pods && key == o.key; }
};

struct DesiredState {
  PodRange range;                                // of the whole cluster
  std::optional<OwnNode> own;                    // nothing: this node is not ready to take part; `peers` is empty then
  std::optional<Skip> own_problem;               // why; nothing as well when there is no Node object of our name
  std::vector<Peer> peers;                       // by age of their Nodes
  std::vector<Skipped> skipped;                  // the same order; without this node
  bool operator==(const DesiredState& o) const {
    return range == o.range && own == o.own && own_problem == o.own_problem && peers == o.peers && skipped == o.skipped;
  }
};

DesiredState desired_state(const std::map<std::string, NodeFacts>& nodes,
                           const std::map<std::string, RecordFacts>& records, const std::string& own_name,
                           const PodRange& range);

}  // namespace cstl
