#include "svc/nodenetwork/network.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

namespace cstl {
namespace {

using netlink::Message;
using netlink::Request;
using netlink::Socket;

constexpr size_t kLargeRequest = 60000;          // kPeersPerMessage peers
constexpr int kTries = 5;                        // of a dump that changes while it is read
constexpr size_t kMaxRoutes = 4 * kMaxNodes, kMaxLinks = 65536;

// A whole dump, each message parsed. One that was interrupted by a change is asked for again.
template <typename T>
Result<std::vector<T>> dump(Socket& socket, void (*ask)(Request&, uint32_t), Result<T> (*parse)(Bytes), uint16_t type,
                            size_t max, const char* site) {
  for (int tries = 1;; ++tries) {
    std::vector<T> out;
    Request request;
    ask(request, socket.next_sequence());
    Status status = socket.ask(
        request, true,
        [&](const Message& message) -> Status {
          if (message.type != type) return success();
          if (out.size() == max) return fail(Code::too_long, site);
          TRY_LET(T value, parse(message.body));
          out.push_back(std::move(value));
          return success();
        },
        site);
    if (status.ok()) return out;
    if (status.code() != Code::busy || tries == kTries) return status.error();
  }
}

const Link* named(const std::vector<Link>& links, std::string_view name) {
  auto found = std::find_if(links.begin(), links.end(), [&](const Link& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

bool missing(const Status& status) {
  return !status.ok() && status.error().origin == Origin::errno_value && status.error().foreign == ENOENT;
}

}  // namespace

Result<Network> Network::open() {
  TRY_LET(Socket route, Socket::open(NETLINK_ROUTE));
  TRY_LET(Socket generic, Socket::open(NETLINK_GENERIC));
  TRY_LET(Socket filter, Socket::open(NETLINK_NETFILTER));
  return Network(std::move(route), std::move(generic), std::move(filter));
}

Result<std::vector<Link>> Network::links() {
  return dump<Link>(route_, ask_links, parse_link, RTM_NEWLINK, kMaxLinks, "network.links");
}

Result<std::vector<LinkAddress>> Network::addresses() {
  return dump<LinkAddress>(route_, ask_addresses, parse_address, RTM_NEWADDR, kMaxLinks, "network.addresses");
}

Result<std::vector<Route>> Network::routes() {
  return dump<Route>(route_, ask_routes, parse_route, RTM_NEWROUTE, kMaxRoutes, "network.routes");
}

Result<std::vector<RuleSeen>> Network::rules() {
  constexpr uint16_t kRule = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE;
  return dump<RuleSeen>(filter_, ask_rules, parse_rule, kRule, kMaxRoutes, "network.rules");
}

// Empty when there is no such table.
Result<std::string> Network::mark_of_table() {
  std::string mark;
  Request request;
  ask_table(request, filter_.next_sequence());
  Status status = filter_.ask(
      request, false,
      [&](const Message& message) -> Status {
        TRY_LET(mark, table_mark(message.body));
        return success();
      },
      "network.table");
  if (!status.ok() && !missing(status)) return status.error();
  return mark;
}

Result<Device> Network::device() {
  if (family_ == 0) {
    Request request;
    find_family(request, generic_.next_sequence());
    TRY(generic_.ask(
        request, false,
        [&](const Message& message) -> Status {
          TRY_LET(family_, family_of(message.body));
          return success();
        },
        "network.family"));
  }
  for (int tries = 1;; ++tries) {
    DeviceReader reader;
    Request request;
    ask_device(request, family_, generic_.next_sequence(), kTunnel);
    Status status = generic_.ask(
        request, true, [&](const Message& message) { return reader.take(message.body); }, "network.device");
    if (status.ok()) return std::move(reader.device);
    if (status.code() != Code::busy || tries == kTries) return status.error();
  }
}

Status Network::write_routes(const std::vector<Route>& wanted, bool only_add, Applied* applied) {
  TRY_LET(std::vector<Route> present, routes());
  const RouteChanges changes = route_changes(present, wanted);
  for (const Route& route : only_add ? std::vector<Route>() : changes.remove) {
    Request request;
    remove_route(request, route_.next_sequence(), route);
    TRY(route_.call(request, "network.route_remove"));
    ++applied->routes_removed;
  }
  for (const Route& route : changes.add) {
    Request request;
    add_route(request, route_.next_sequence(), route);
    TRY(route_.call(request, "network.route"));
    ++applied->routes_added;
  }
  return success();
}

Status Network::write_firewall_if_needed(const Firewall& firewall, Applied* applied) {
  TRY_LET(const std::string mark, mark_of_table());
  if (mark == firewall_mark(firewall)) {
    TRY_LET(std::vector<RuleSeen> seen, rules());
    const auto ours = std::count_if(seen.begin(), seen.end(), [](const RuleSeen& rule) { return rule.ours; });
    if (static_cast<size_t>(ours) == firewall_rules(firewall)) return success();
  }
  Request request(kLargeRequest);
  const uint32_t first = filter_.next_sequence();
  uint32_t last = first;
  int acknowledgements = 0;
  write_firewall(request, firewall, first, &last, &acknowledgements);
  while (filter_.next_sequence() < last) {
  }
  TRY(filter_.call(request, first, last, acknowledgements, "network.firewall"));
  applied->firewall = true;
  return success();
}

Status Network::write_device(const DesiredState& state, const WireguardSecret& key, Applied* applied) {
  TRY_LET(Device present, device());
  if (!set_key_ || present.key != *set_key_ || present.port != kWireguardPort || present.mark != 0) {
    Request request;
    set_device(request, family_, generic_.next_sequence(), kTunnel, key);
    TRY(generic_.call(request, "network.key"));
    const WireguardKey before = present.key;
    TRY_LET(present, device());
    applied->key = present.key != before;
    set_key_ = present.key;
  }
  const std::vector<PeerChange> changes = peer_changes(present, state.peers);
  for (size_t first = 0; first < changes.size(); first += kPeersPerMessage) {
    Request request(kLargeRequest);
    set_peers(request, family_, generic_.next_sequence(), kTunnel, changes, first);
    TRY(generic_.call(request, "network.peers"));
  }
  for (const PeerChange& change : changes) ++(change.remove ? applied->peers_removed : applied->peers_changed);
  return success();
}

Status Network::write_link(const Link& link, const OwnNode& own, uint32_t mtu, const std::vector<LinkAddress>& present,
                           Applied* applied) {
  if (!link.up || link.mtu != mtu || link.rp_filter != 1) {
    Request request;
    set_link(request, route_.next_sequence(), link.index, mtu);
    TRY(route_.call(request, "network.link"));
    applied->link = true;
  }
  bool found = false;
  for (const LinkAddress& address : present) {
    if (address.link != link.index || !address.address || address.address->family != 4) continue;
    if (ipv4_value(*address.address) == own.pods.first_host() && address.length == 32) {
      found = true;
      continue;
    }
    Request request;
    remove_address(request, route_.next_sequence(), address);
    TRY(route_.call(request, "network.address_remove"));
    applied->address = true;
  }
  if (found) return success();
  Request request;
  add_address(request, route_.next_sequence(), link.index, own.pods.first_host());
  applied->address = true;
  return route_.call(request, "network.address");
}

Status Network::protect(const PodRange& range) {
  Applied applied;
  TRY(write_routes({unreachable_route(range)}, true, &applied));
  // A table of the same range with masquerade is stronger than this one: it stays.
  TRY_LET(const std::string mark, mark_of_table());
  const Firewall firewall{range, std::nullopt};
  if (mark.rfind(firewall_mark(firewall) + " own ", 0) == 0) return success();
  return write_firewall_if_needed(firewall, &applied);
}

Result<Applied> Network::apply(const DesiredState& state, const WireguardSecret& key) {
  if (!state.own) return fail(Code::internal, "network.own");
  Applied applied;
  TRY(write_firewall_if_needed(Firewall{state.range, state.own->pods}, &applied));
  TRY(write_routes({unreachable_route(state.range)}, true, &applied));

  TRY_LET(std::vector<LinkAddress> present, addresses());
  TRY_LET(std::vector<Link> all, links());
  auto outside = std::find_if(present.begin(), present.end(),
                              [&](const LinkAddress& a) { return a.address == state.own->address; });
  if (outside == present.end()) return fail(Code::not_found, "network.own_address");
  auto carrier = std::find_if(all.begin(), all.end(), [&](const Link& link) { return link.index == outside->link; });
  if (carrier == all.end()) return fail(Code::not_found, "network.own_link");
  const uint32_t outer = std::clamp(carrier->mtu, kSmallestMtu + kTunnelOverhead, kLargestMtu);
  applied.mtu = outer - kTunnelOverhead;

  if (!named(all, kTunnel)) {
    Request request;
    create_wireguard_link(request, route_.next_sequence(), kTunnel, applied.mtu);
    TRY(route_.call(request, "network.tunnel"));
    applied.created = true;
    TRY_LET(all, links());
  }
  const Link* tunnel = named(all, kTunnel);
  if (!tunnel) return fail(Code::not_found, "network.tunnel");
  if (tunnel->kind != "wireguard") return fail(Code::mismatch, "network.tunnel_kind");

  TRY(write_device(state, key, &applied));
  TRY(write_link(*tunnel, *state.own, applied.mtu, present, &applied));
  std::vector<Route> wanted{unreachable_route(state.range)};
  for (const Peer& peer : state.peers) {
    wanted.push_back(peer_route(peer.pods, tunnel->index, state.own->pods.first_host()));
  }
  TRY(write_routes(wanted, false, &applied));
  return applied;
}

Result<Observed> Network::observe() {
  Observed out;
  auto present = device();
  const Error error = present.error();
  const bool absent = !present.ok() && error.origin == Origin::errno_value && error.foreign == ENODEV;
  if (!present.ok() && !absent) return error;
  if (present.ok()) out.device = std::move(*present);
  TRY_LET(std::vector<RuleSeen> seen, rules());
  for (const RuleSeen& rule : seen) {
    if (!rule.ours) continue;
    (rule.chain == "arriving" ? out.dropped_arriving : out.dropped_leaving) += rule.dropped;
  }
  return out;
}

}  // namespace cstl
