#include "svc/nodenetwork/route.h"

#include <arpa/inet.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>

namespace cstl {
namespace {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Request;

constexpr size_t kMaxKind = 64;

Bytes network_order(const uint32_t& value) { return Bytes(reinterpret_cast<const uint8_t*>(&value), sizeof value); }

void be_address(Request& request, uint16_t type, uint32_t address) {
  const uint32_t value = htonl(address);
  request.attribute(type, network_order(value));
}

Result<std::string> kind_of(Attributes attributes) {
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) return std::string();
    if (a->type != IFLA_INFO_KIND) continue;
    TRY_LET(std::string_view kind, netlink::text_of(a->value, kMaxKind));
    return std::string(kind);
  }
}

// IFLA_AF_SPEC / AF_INET / IFLA_INET_CONF: an array of all settings, from the one with number 1 on.
Result<int> rp_filter_of(Attributes families) {
  while (true) {
    TRY_LET(std::optional<Attribute> family, families.next());
    if (!family) return -1;
    if (family->type != AF_INET) continue;
    Attributes inet(family->value);
    while (true) {
      TRY_LET(std::optional<Attribute> a, inet.next());
      if (!a) return -1;
      if (a->type != IFLA_INET_CONF) continue;
      const Bytes value = a->value.skip((IPV4_DEVCONF_RP_FILTER - 1) * sizeof(uint32_t)).first(sizeof(uint32_t));
      if (value.empty()) return -1;
      TRY_LET(uint32_t number, netlink::u32_of(value));
      return static_cast<int>(number & 0xff);
    }
  }
}

}  // namespace

Result<Link> parse_link(Bytes body) {
  ifinfomsg header;
  Link out;
  TRY_LET(Attributes attributes, netlink::open_body(body, &header));
  out.index = static_cast<uint32_t>(header.ifi_index);
  out.up = (header.ifi_flags & IFF_UP) != 0;
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) return out;
    if (a->type == IFLA_IFNAME) {
      TRY_LET(std::string_view name, netlink::text_of(a->value, IFNAMSIZ - 1));
      out.name = name;
    } else if (a->type == IFLA_MTU) {
      TRY_LET(out.mtu, netlink::u32_of(a->value));
    } else if (a->type == IFLA_LINKINFO) {
      TRY_LET(out.kind, kind_of(Attributes(a->value)));
    } else if (a->type == IFLA_AF_SPEC) {
      TRY_LET(out.rp_filter, rp_filter_of(Attributes(a->value)));
    }
  }
}

Result<LinkAddress> parse_address(Bytes body) {
  ifaddrmsg header;
  LinkAddress out;
  TRY_LET(Attributes attributes, netlink::open_body(body, &header));
  out.link = header.ifa_index;
  out.length = header.ifa_prefixlen;
  Bytes local, address;
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) break;
    if (a->type == IFA_LOCAL) local = a->value;
    if (a->type == IFA_ADDRESS) address = a->value;
  }
  if (header.ifa_family != AF_INET && header.ifa_family != AF_INET6) return out;
  if (local.empty()) local = address;            // IPv6 has no peer address
  IpAddress found;
  found.family = header.ifa_family == AF_INET ? 4 : 6;
  if (local.size() != found.size()) return fail(Code::bad_value, "route.address");
  std::memcpy(found.bytes.data(), local.data(), local.size());
  out.address = found;
  return out;
}

Result<Route> parse_route(Bytes body) {
  rtmsg header;
  Route out;
  TRY_LET(Attributes attributes, netlink::open_body(body, &header));
  out.length = header.rtm_dst_len;
  out.type = header.rtm_type;
  out.protocol = header.rtm_protocol;
  out.family = header.rtm_family;
  out.table = header.rtm_table;
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) return out;
    if (a->type == RTA_TABLE) {
      TRY_LET(out.table, netlink::u32_of(a->value));
    } else if (a->type == RTA_OIF) {
      TRY_LET(out.link, netlink::u32_of(a->value));
    } else if (a->type == RTA_PRIORITY) {
      TRY_LET(out.metric, netlink::u32_of(a->value));
    } else if (header.rtm_family == AF_INET && a->type == RTA_DST) {
      TRY_LET(out.network, netlink::be32_of(a->value));
    } else if (header.rtm_family == AF_INET && a->type == RTA_PREFSRC) {
      TRY_LET(out.source, netlink::be32_of(a->value));
    }
  }
}

Route unreachable_route(const PodRange& range) {
  Route out;
  out.network = range.network;
  out.length = range.length;
  out.type = RTN_UNREACHABLE;
  out.protocol = kRouteProtocol;
  out.family = AF_INET;
  out.table = RT_TABLE_MAIN;
  out.metric = kLastMetric;
  return out;
}

Route peer_route(const PodRange& pods, uint32_t link, uint32_t source) {
  Route out = unreachable_route(pods);
  out.type = RTN_UNICAST;
  out.metric = 0;
  out.link = link;
  out.source = source;
  return out;
}

RouteChanges route_changes(const std::vector<Route>& present, const std::vector<Route>& wanted) {
  RouteChanges out;
  const auto holds = [](const std::vector<Route>& list, const Route& route) {
    return std::find(list.begin(), list.end(), route) != list.end();
  };
  std::vector<Route> ours;
  for (const Route& route : present) {
    const bool our = route.protocol == kRouteProtocol && route.family == AF_INET && route.table == RT_TABLE_MAIN;
    if (our) ours.push_back(route);
  }
  for (const Route& route : wanted) {
    if (!holds(ours, route)) out.add.push_back(route);
  }
  for (const Route& route : ours) {
    if (holds(wanted, route)) continue;
    const bool replaced = std::any_of(out.add.begin(), out.add.end(), [&](const Route& added) {
      return added.network == route.network && added.length == route.length && added.metric == route.metric;
    });
    if (!replaced) out.remove.push_back(route);
  }
  return out;
}

void ask_links(Request& request, uint32_t sequence) {
  request.message(RTM_GETLINK, NLM_F_DUMP, sequence);
  request.header(ifinfomsg{});
}

void ask_addresses(Request& request, uint32_t sequence) {
  request.message(RTM_GETADDR, NLM_F_DUMP, sequence);
  request.header(ifaddrmsg{});
}

void ask_routes(Request& request, uint32_t sequence) {
  request.message(RTM_GETROUTE, NLM_F_DUMP, sequence);
  rtmsg header{};
  header.rtm_family = AF_INET;
  request.header(header);
}

void create_wireguard_link(Request& request, uint32_t sequence, std::string_view name, uint32_t mtu) {
  request.message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence);
  request.header(ifinfomsg{});
  request.text(IFLA_IFNAME, name);
  request.u32(IFLA_MTU, mtu);
  const size_t info = request.begin(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "wireguard");
  request.end(info);
}

void set_link(Request& request, uint32_t sequence, uint32_t index, uint32_t mtu) {
  request.message(RTM_NEWLINK, NLM_F_ACK, sequence);
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  request.header(header);
  request.u32(IFLA_MTU, mtu);
  const size_t families = request.begin(IFLA_AF_SPEC);
  const size_t inet = request.begin(AF_INET);
  const size_t conf = request.begin(IFLA_INET_CONF);
  request.u32(IPV4_DEVCONF_RP_FILTER, 1);
  request.end(conf);
  request.end(inet);
  request.end(families);
}

void add_address(Request& request, uint32_t sequence, uint32_t index, uint32_t address) {
  request.message(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sequence);
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 32;
  header.ifa_index = index;
  request.header(header);
  be_address(request, IFA_LOCAL, address);
  be_address(request, IFA_ADDRESS, address);
}

void remove_address(Request& request, uint32_t sequence, const LinkAddress& address) {
  request.message(RTM_DELADDR, NLM_F_ACK, sequence);
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = address.length;
  header.ifa_index = address.link;
  request.header(header);
  be_address(request, IFA_LOCAL, ipv4_value(*address.address));
}

namespace {
void put_route(Request& request, const Route& route) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = route.length;
  header.rtm_table = RT_TABLE_UNSPEC;
  header.rtm_protocol = route.protocol;
  header.rtm_scope = route.type == RTN_UNICAST ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header.rtm_type = route.type;
  request.header(header);
  be_address(request, RTA_DST, route.network);
  request.u32(RTA_TABLE, route.table);
  if (route.link != 0) request.u32(RTA_OIF, route.link);
  if (route.source != 0) be_address(request, RTA_PREFSRC, route.source);
  if (route.metric != 0) request.u32(RTA_PRIORITY, route.metric);
}
}  // namespace

void add_route(Request& request, uint32_t sequence, const Route& route) {
  request.message(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sequence);
  put_route(request, route);
}

void remove_route(Request& request, uint32_t sequence, const Route& route) {
  request.message(RTM_DELROUTE, NLM_F_ACK, sequence);
  put_route(request, route);
}

}  // namespace cstl
