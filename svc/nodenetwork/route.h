// Links, addresses and routes of the kernel over rtnetlink (rtnetlink(7)): parsing of what it holds, and the requests
// that this program makes. IPv4 only. Nothing here is secret, does I/O or logs.
#pragma once

#include "svc/nodenetwork/address.h"
#include "svc/nodenetwork/netlink.h"

namespace cstl {

// Marks routes as ours (rtm_protocol; /etc/iproute2/rt_protos names none with this number).
constexpr uint8_t kRouteProtocol = 206;
// What is left to the route that drops, behind any real one.
constexpr uint32_t kLastMetric = 0x7fffffff;

struct Link {
  uint32_t index = 0;
  std::string name;
  std::string kind;                              // "wireguard", "bridge"; empty for hardware
  uint32_t mtu = 0;
  bool up = false;
  int rp_filter = -1;                            // of its own, without conf/all; -1: not told
};
// Errors: truncated, bad_value.
Result<Link> parse_link(Bytes body);

struct LinkAddress {
  uint32_t link = 0;
  std::optional<IpAddress> address;              // nothing for families that are not looked at
  uint8_t length = 0;
};
Result<LinkAddress> parse_address(Bytes body);

struct Route {
  uint32_t network = 0;                          // host order, as PodRange
  uint8_t length = 0;
  uint8_t type = 0;                              // RTN_UNICAST, RTN_UNREACHABLE …
  uint8_t protocol = 0;
  uint8_t family = 0;
  uint32_t table = 0;
  uint32_t link = 0;                             // 0: none
  uint32_t source = 0;                           // preferred source; 0: none
  uint32_t metric = 0;
  bool operator==(const Route& o) const {
    return network == o.network && length == o.length && type == o.type && table == o.table && link == o.link &&
           source == o.source && metric == o.metric;
  }
};
Result<Route> parse_route(Bytes body);

// Our routes as they shall be: the whole range unreachable, each peer's range over `link` from `source`.
Route unreachable_route(const PodRange& range);
Route peer_route(const PodRange& pods, uint32_t link, uint32_t source);

struct RouteChanges {
  std::vector<Route> remove, add;
};
// `present` may hold anyone's routes; only those of the main table with our protocol count. What is added replaces a
// route of the same range and metric.
RouteChanges route_changes(const std::vector<Route>& present, const std::vector<Route>& wanted);

void ask_links(netlink::Request& request, uint32_t sequence);
void ask_addresses(netlink::Request& request, uint32_t sequence);
void ask_routes(netlink::Request& request, uint32_t sequence);
void create_wireguard_link(netlink::Request& request, uint32_t sequence, std::string_view name, uint32_t mtu);
// MTU, up, rp_filter strict.
void set_link(netlink::Request& request, uint32_t sequence, uint32_t index, uint32_t mtu);
void add_address(netlink::Request& request, uint32_t sequence, uint32_t index, uint32_t address);     // host order, /32
void remove_address(netlink::Request& request, uint32_t sequence, const LinkAddress& address);               // an IPv4 one
void add_route(netlink::Request& request, uint32_t sequence, const Route& route);
void remove_route(netlink::Request& request, uint32_t sequence, const Route& route);

}  // namespace cstl
