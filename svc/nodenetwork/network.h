// Brings the kernel to the desired state, and tells how it is. Every call looks at what is there first, so it may be
// repeated at any time, after a restart or after someone else's changes; what is right already is left alone.
//
// Order: what drops comes before what lets through (unreachable route, packet filter, then peers, then their routes),
// and the CNI configuration, which lets kubelet start pods, is last. Needs CAP_NET_ADMIN in the initial network
// namespace of the process. Blocks for as long as the kernel takes; never logs.
//
// Errors: network_failed with errno and a site, those of svc/nodenetwork/socket.h; not_found (no interface has the
// node's address), mismatch (wg0 is not a WireGuard interface).
#pragma once

#include "svc/nodenetwork/firewall.h"
#include "svc/nodenetwork/route.h"
#include "svc/nodenetwork/socket.h"
#include "svc/nodenetwork/wireguard.h"

namespace cstl {

constexpr uint32_t kTunnelOverhead = 80;         // IPv6 40, UDP 8, WireGuard 32
constexpr uint32_t kSmallestMtu = 576, kLargestMtu = 65535;

// What an apply() changed; nothing of it: all was right.
struct Applied {
  bool created = false;                          // the interface
  size_t peers_changed = 0, peers_removed = 0, routes_added = 0, routes_removed = 0;
  bool firewall = false, address = false, link = false, key = false;
  bool any() const {
    return created || peers_changed + peers_removed + routes_added + routes_removed != 0 || firewall || address ||
           link || key;
  }
  uint32_t mtu = 0;                              // of wg0 and of pods
};

struct Observed {
  Device device;
  uint64_t dropped_arriving = 0, dropped_leaving = 0;  // packets since the table was made
};

class Network {
 public:
  // Opens the sockets. Errors: network_failed.
  static Result<Network> open();

  // Nothing of a pod may leave or arrive from now on but by what apply() sets up. Touches no tunnel that exists.
  Status protect(const PodRange& range);
  // `state.own` is set. `key` is set on the device if it has another one than it had after the last time.
  Result<Applied> apply(const DesiredState& state, const WireguardSecret& key);
  Result<Observed> observe();  // an absent interface is a device without key and peers
  // The public key that the device has, after apply().
  WireguardKey key() const { return set_key_.value_or(WireguardKey{}); }

 private:
  Network(netlink::Socket route, netlink::Socket generic, netlink::Socket filter)
      : route_(std::move(route)), generic_(std::move(generic)), filter_(std::move(filter)) {}
  Result<std::vector<Link>> links();
  Result<std::vector<LinkAddress>> addresses();
  Result<std::vector<Route>> routes();
  Result<std::vector<RuleSeen>> rules();
  Result<std::string> mark_of_table();
  Result<Device> device();
  Status write_routes(const std::vector<Route>& wanted, bool only_add, Applied* applied);
  Status write_firewall_if_needed(const Firewall& firewall, Applied* applied);
  Status write_device(const DesiredState& state, const WireguardSecret& key, Applied* applied);
  Status write_link(const Link& link, const OwnNode& own, uint32_t mtu, const std::vector<LinkAddress>& present,
                    Applied* applied);

  netlink::Socket route_, generic_, filter_;
  uint16_t family_ = 0;                          // of "wireguard"; 0: not known yet
  std::optional<WireguardKey> set_key_;          // what the device said after the key was set
};

}  // namespace cstl
