#include "svc/nodenetwork/netlink.h"

#include <doctest/doctest.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>

#include "svc/nodenetwork/cni.h"
#include "svc/nodenetwork/firewall.h"
#include "svc/nodenetwork/key_file.h"
#include "svc/nodenetwork/route.h"
#include "svc/nodenetwork/wireguard.h"

namespace cstl {
namespace {

using netlink::Attributes;
using netlink::Messages;
using netlink::Request;

Peer peer(uint8_t number) {
  Peer out;
  out.node = "n";
  out.key.fill(number);
  out.address = *parse_node_address("10.0.2." + std::to_string(number));
  out.pods = *parse_pod_range("10.244." + std::to_string(number) + ".0/24");
  return out;
}

// What the kernel's dump of a device says once `changes` are made: their message, read back.
Device read_back(const std::vector<PeerChange>& changes) {
  Request request(60000);
  set_peers(request, 30, 1, "wg0", changes, 0);
  auto bytes = request.finish();
  REQUIRE(bytes.ok());
  Messages messages(*bytes);
  auto message = messages.next();
  REQUIRE(message.ok());
  REQUIRE(message->has_value());
  DeviceReader reader;
  REQUIRE(reader.take((*message)->body).ok());
  return reader.device;
}

}  // namespace

TEST_CASE("netlink: what is written is read back, message by message") {
  Request request;
  request.message(16, NLM_F_ACK, 7);
  request.header(genlmsghdr{3, 1, 0});
  request.text(2, "wireguard");
  const size_t nest = request.begin(4);
  request.u16(1, 0x1234);
  request.be32(2, 0x01020304);
  request.end(nest);
  request.message(17, 0, 8);
  auto bytes = request.finish();
  REQUIRE(bytes.ok());
  CHECK(bytes->size() % 4 == 0);

  Messages messages(*bytes);
  auto first = messages.next();
  REQUIRE(first->has_value());
  CHECK((*first)->type == 16);
  CHECK((*first)->flags == (NLM_F_REQUEST | NLM_F_ACK));
  CHECK((*first)->sequence == 7);
  genlmsghdr header;
  auto attributes = netlink::open_body((*first)->body, &header);
  REQUIRE(attributes.ok());
  CHECK(header.cmd == 3);
  auto name = attributes->next();
  CHECK((*name)->type == 2);
  CHECK(*netlink::text_of((*name)->value, 9) == "wireguard");
  CHECK(netlink::text_of((*name)->value, 8).code() == Code::bad_value);
  auto nested = attributes->next();
  CHECK((*nested)->type == 4);
  Attributes inner((*nested)->value);
  CHECK(*netlink::u16_of((*inner.next())->value) == 0x1234);
  CHECK(*netlink::be32_of((*inner.next())->value) == 0x01020304);
  CHECK_FALSE(inner.next()->has_value());
  auto second = messages.next();
  CHECK((*second)->type == 17);
  CHECK((*second)->body.empty());
  CHECK_FALSE(messages.next()->has_value());
}

TEST_CASE("netlink: lengths that cannot be are refused") {
  struct Row {
    const char* name;
    std::vector<uint8_t> bytes;
    Code message, attribute;
  };
  const Row rows[] = {
      {"nothing is the end", {}, Code::ok, Code::ok},
      {"three bytes", {4, 0, 0}, Code::truncated, Code::truncated},
      {"a length below the header's", {3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Code::bad_value, Code::bad_value},
      {"a length beyond the end", {17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Code::truncated, Code::truncated},
      {"an enormous length", {255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Code::truncated, Code::truncated},
      {"no padding at the end", {5, 0, 0, 0, 9}, Code::truncated, Code::ok},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(Messages(row.bytes).next().code() == row.message);
    CHECK(Attributes(row.bytes).next().code() == row.attribute);
  }
  Request small(32);
  small.message(1, 0, 1);
  small.attribute(1, std::string(32, 'x'));
  CHECK(small.finish().code() == Code::too_long);
  Request wide(200000);
  wide.attribute(1, std::string(65532, 'x'));
  CHECK(wide.finish().code() == Code::too_long);
  CHECK(*netlink::error_of(std::vector<uint8_t>{0xfe, 0xff, 0xff, 0xff}) == 2);
  CHECK(netlink::error_of(std::vector<uint8_t>{1, 0, 0, 0}).code() == Code::bad_value);
}

TEST_CASE("wireguard: only what differs is changed, removals first") {
  const std::vector<Peer> two{peer(1), peer(2)};
  const auto all = peer_changes(Device{}, two);
  REQUIRE(all.size() == 2);
  Device device = read_back(all);
  REQUIRE(device.peers.size() == 2);
  CHECK(device.peers[0].key == two[0].key);
  CHECK(device.peers[0].address == two[0].address);
  CHECK(device.peers[0].port == kWireguardPort);
  CHECK(peer_changes(device, two).empty());

  struct Row {
    const char* name;
    void (*alter)(DevicePeer&);
  };
  const Row rows[] = {
      {"a peer that moved", [](DevicePeer& p) { p.address->bytes[3] = 99; }},
      {"another port", [](DevicePeer& p) { p.port = 1; }},
      {"a keepalive", [](DevicePeer& p) { p.keepalive = 25; }},
      {"a preshared key", [](DevicePeer& p) { p.preshared = true; }},
      {"no range", [](DevicePeer& p) { p.allowed.clear(); }},
      {"another range", [](DevicePeer& p) { p.allowed[0].bytes[2] = 77; }},
      {"a wider range", [](DevicePeer& p) { p.allowed[0].length = 16; }},
      {"one range more", [](DevicePeer& p) { p.allowed.push_back(p.allowed[0]); }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Device altered = device;
    row.alter(altered.peers[1]);
    const auto changes = peer_changes(altered, two);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].key == two[1].key);
    CHECK_FALSE(changes[0].remove);
  }
  // A new key of the second: its old peer goes, then the new one comes.
  std::vector<Peer> renewed = two;
  renewed[1].key.fill(7);
  const auto changes = peer_changes(device, renewed);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].remove);
  CHECK(changes[0].key == two[1].key);
  CHECK_FALSE(changes[1].remove);
  CHECK(changes[1].key == renewed[1].key);
}

TEST_CASE("wireguard: a full message of peers with IPv6 endpoints fits") {
  std::vector<PeerChange> changes(kPeersPerMessage + 1);
  for (size_t i = 0; i < changes.size(); ++i) {
    changes[i].key[0] = static_cast<uint8_t>(i);
    changes[i].key[1] = static_cast<uint8_t>(i >> 8);
    changes[i].address = *parse_node_address("fd00::1");
    changes[i].pods = *parse_pod_range("10.244.1.0/24");
  }
  CHECK(read_back(changes).peers.size() == kPeersPerMessage);
}

TEST_CASE("wireguard: a peer that goes on in the next message is one peer") {
  Device device = read_back(peer_changes(Device{}, {peer(1)}));
  DeviceReader reader;
  for (int i = 0; i < 2; ++i) {
    Request request;
    set_peers(request, 30, 1, "wg0", peer_changes(Device{}, {peer(1)}), 0);
    auto bytes = request.finish();
    REQUIRE(bytes.ok());
    REQUIRE(reader.take((*Messages(*bytes).next())->body).ok());
  }
  REQUIRE(reader.device.peers.size() == 1);
  CHECK(reader.device.peers[0].allowed.size() == 2);
}

TEST_CASE("route: ours are corrected, others' stay") {
  const PodRange range = *parse_pod_range("10.244.0.0/16"), pods = *parse_pod_range("10.244.2.0/24");
  const Route last = unreachable_route(range), good = peer_route(pods, 5, 0x0af40101);
  Route foreign = peer_route(*parse_pod_range("10.9.0.0/16"), 3, 0);
  foreign.protocol = RTPROT_BOOT;
  Route elsewhere = good;
  elsewhere.table = 99;
  Route stale = peer_route(*parse_pod_range("10.244.7.0/24"), 5, 0x0af40101), old = good;
  old.link = 4;

  RouteChanges changes = route_changes({foreign, elsewhere}, {last, good});
  CHECK(changes.remove.empty());
  CHECK(changes.add == std::vector<Route>{last, good});
  changes = route_changes({foreign, last, good}, {last, good});
  CHECK(changes.remove.empty());
  CHECK(changes.add.empty());
  changes = route_changes({foreign, last, old, stale}, {last, good});
  CHECK(changes.add == std::vector<Route>{good});  // replaces the one over the old link
  CHECK(changes.remove == std::vector<Route>{stale});

  for (const Route& route : {last, good}) {
    Request request;
    add_route(request, 1, route);
    auto bytes = request.finish();
    auto parsed = parse_route((*Messages(*bytes).next())->body);
    REQUIRE(parsed.ok());
    CHECK(*parsed == route);
    CHECK(parsed->protocol == kRouteProtocol);
  }
}

TEST_CASE("firewall: the table says what it is for") {
  const Firewall firewall{*parse_pod_range("10.244.0.0/16"), *parse_pod_range("10.244.1.0/24")};
  CHECK(firewall_mark(firewall) == "cstl 1 pods 10.244.0.0/16 own 10.244.1.0/24");
  Request request(60000);
  uint32_t last = 0;
  int acknowledgements = 0;
  write_firewall(request, firewall, 10, &last, &acknowledgements);
  auto bytes = request.finish();
  REQUIRE(bytes.ok());
  Messages messages(*bytes);
  size_t count = 0, rules = 0;
  std::string mark;
  while (true) {
    auto message = messages.next();
    REQUIRE(message.ok());
    if (!*message) break;
    CHECK((*message)->sequence == 10 + count++);
    const uint16_t type = (*message)->type & 0xff;
    if ((*message)->type < 0x100) continue;
    if (type == 0) {
      auto said = table_mark((*message)->body);
      REQUIRE(said.ok());
      if (!said->empty()) mark = *said;
    }
    if (type == 6) {
      auto rule = parse_rule((*message)->body);
      REQUIRE(rule.ok());
      CHECK(rule->ours);
      ++rules;
    }
  }
  CHECK(last == 10 + count - 1);
  CHECK(acknowledgements == static_cast<int>(count) - 2);
  CHECK(rules == firewall_rules(firewall));
  CHECK(mark == firewall_mark(firewall));
}

TEST_CASE("cni: a bridge with this node's addresses, without its masquerade") {
  auto json = parse_json(cni_text(*parse_pod_range("10.244.1.0/24"), 1420), 4096);
  REQUIRE(json.ok());
  CHECK((*json)["cniVersion"] == "0.4.0");
  const auto& bridge = (*json)["plugins"][0];
  CHECK(bridge["type"] == "bridge");
  CHECK(bridge["bridge"] == kBridge);
  CHECK(bridge["ipMasq"] == false);
  CHECK(bridge["mtu"] == 1420);
  CHECK(bridge["ipam"]["ranges"][0][0]["subnet"] == "10.244.1.0/24");
  CHECK((*json)["plugins"][1]["type"] == "portmap");
}

TEST_CASE("private key: one form") {
  const std::string text = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
  struct Row {
    const char* name;
    std::string text;
    Code code;
  };
  const Row rows[] = {
      {"44 characters", text, Code::ok},
      {"with a newline", text + "\n", Code::ok},
      {"with two", text + "\n\n", Code::bad_key},
      {"nothing", "", Code::bad_key},
      {"too short", text.substr(1), Code::bad_key},
      {"no padding", text.substr(0, 43) + "A", Code::bad_key},
      {"unused bits", text.substr(0, 42) + "l=", Code::bad_key},
      {"another character", "!" + text.substr(1), Code::bad_key},
      {"base64url", "-" + text.substr(1), Code::bad_key},
      {"a character beyond ASCII", "\xff" + text.substr(1), Code::bad_key},
      {"the zero key", std::string(43, 'A') + "=", Code::bad_key},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    auto key = decode_private_key(row.text);
    CHECK(key.code() == row.code);
    if (!key.ok()) continue;
    CHECK(to_hex(key->declassify()) == "c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669");
  }
}

}  // namespace cstl
