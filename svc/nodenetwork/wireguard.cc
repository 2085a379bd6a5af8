#include "svc/nodenetwork/wireguard.h"

#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>

#include <algorithm>

namespace cstl {
namespace {

using netlink::Attribute;
using netlink::Attributes;

constexpr size_t kMaxAllowed = 64;               // of one peer that are kept: ours have one

void generic_header(netlink::Request& request, uint16_t family, uint16_t flags, uint32_t sequence, uint8_t command) {
  request.message(family, flags, sequence);
  genlmsghdr header{};
  header.cmd = command;
  header.version = WG_GENL_VERSION;
  request.header(header);
}

Status copy_exactly(Bytes value, MutBytes out, const char* site) {
  if (value.size() != out.size()) return fail(Code::bad_value, site);
  std::memcpy(out.data(), value.data(), out.size());
  return success();
}

Status read_endpoint(Bytes value, DevicePeer* out) {
  sockaddr_in v4;
  sockaddr_in6 v6;
  IpAddress address;
  if (value.size() == sizeof v4) {
    std::memcpy(&v4, value.data(), sizeof v4);
    if (v4.sin_family != AF_INET) return fail(Code::bad_value, "wireguard.endpoint");
    std::memcpy(address.bytes.data(), &v4.sin_addr, sizeof v4.sin_addr);
    out->port = ntohs(v4.sin_port);
  } else if (value.size() == sizeof v6) {
    std::memcpy(&v6, value.data(), sizeof v6);
    if (v6.sin6_family != AF_INET6) return fail(Code::bad_value, "wireguard.endpoint");
    address.family = 6;
    std::memcpy(address.bytes.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
    out->port = ntohs(v6.sin6_port);
  } else {
    return fail(Code::bad_value, "wireguard.endpoint");
  }
  out->address = address;
  return success();
}

Result<AllowedIp> read_allowed(Attributes attributes) {
  AllowedIp out;
  Bytes address;
  out.family = AF_UNSPEC;
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) break;
    if (a->type == WGALLOWEDIP_A_FAMILY) {
      TRY_LET(out.family, netlink::u16_of(a->value));
    } else if (a->type == WGALLOWEDIP_A_IPADDR) {
      address = a->value;
    } else if (a->type == WGALLOWEDIP_A_CIDR_MASK) {
      TRY_LET(out.length, netlink::u8_of(a->value));
    }
  }
  const size_t size = out.family == AF_INET ? 4 : out.family == AF_INET6 ? 16 : 0;
  if (size == 0 || address.size() != size || out.length > size * 8) return fail(Code::bad_value, "wireguard.allowed");
  std::memcpy(out.bytes.data(), address.data(), size);
  return out;
}

bool allows_exactly(const DevicePeer& peer, const PodRange& pods) {
  if (peer.allowed.size() != 1) return false;
  const AllowedIp& only = peer.allowed[0];
  const auto& b = only.bytes;
  return only.family == AF_INET && only.length == pods.length &&
         (uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3]) == pods.network;
}

void put_endpoint(netlink::Request& request, const IpAddress& address) {
  sockaddr_storage endpoint;
  const socklen_t size = Endpoint{address, kWireguardPort}.fill(&endpoint);
  request.attribute(WGPEER_A_ENDPOINT, Bytes(reinterpret_cast<const uint8_t*>(&endpoint), size));
}

}  // namespace

Status DeviceReader::take_peer(Attributes attributes) {
  DevicePeer peer;
  bool keyed = false;
  std::vector<AllowedIp> allowed;
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) break;
    if (a->type == WGPEER_A_PUBLIC_KEY) {
      TRY(copy_exactly(a->value, peer.key, "wireguard.peer_key"));
      keyed = true;
    } else if (a->type == WGPEER_A_ENDPOINT) {
      TRY(read_endpoint(a->value, &peer));
    } else if (a->type == WGPEER_A_PRESHARED_KEY) {
      peer.preshared = std::any_of(a->value.begin(), a->value.end(), [](uint8_t byte) { return byte != 0; });
    } else if (a->type == WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL) {
      TRY_LET(peer.keepalive, netlink::u16_of(a->value));
    } else if (a->type == WGPEER_A_LAST_HANDSHAKE_TIME) {
      std::array<uint8_t, 16> time;              // struct __kernel_timespec
      TRY(copy_exactly(a->value, time, "wireguard.handshake"));
      std::memcpy(&peer.handshake, time.data(), sizeof peer.handshake);
    } else if (a->type == WGPEER_A_RX_BYTES || a->type == WGPEER_A_TX_BYTES) {
      std::array<uint8_t, 8> count;
      TRY(copy_exactly(a->value, count, "wireguard.bytes"));
      std::memcpy(a->type == WGPEER_A_RX_BYTES ? &peer.received : &peer.sent, count.data(), count.size());
    } else if (a->type == WGPEER_A_ALLOWEDIPS) {
      Attributes list(a->value);
      while (true) {
        TRY_LET(std::optional<Attribute> entry, list.next());
        if (!entry) break;
        TRY_LET(AllowedIp ip, read_allowed(Attributes(entry->value)));
        if (allowed.size() < kMaxAllowed) allowed.push_back(ip);
      }
    }
  }
  if (!keyed) return fail(Code::bad_value, "wireguard.peer_key");
  if (device.peers.empty() || device.peers.back().key != peer.key) {
    if (device.peers.size() == kMaxDevicePeers) return fail(Code::too_long, "wireguard.peers");
    device.peers.push_back(std::move(peer));
  }
  auto& known = device.peers.back().allowed;
  for (const AllowedIp& ip : allowed) {
    if (known.size() < kMaxAllowed) known.push_back(ip);
  }
  return success();
}

Status DeviceReader::take(Bytes body) {
  genlmsghdr header;
  TRY_LET(Attributes attributes, netlink::open_body(body, &header));
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) return success();
    if (a->type == WGDEVICE_A_PUBLIC_KEY) {
      TRY(copy_exactly(a->value, device.key, "wireguard.key"));
    } else if (a->type == WGDEVICE_A_LISTEN_PORT) {
      TRY_LET(device.port, netlink::u16_of(a->value));
    } else if (a->type == WGDEVICE_A_FWMARK) {
      TRY_LET(device.mark, netlink::u32_of(a->value));
    } else if (a->type == WGDEVICE_A_PEERS) {
      Attributes peers(a->value);
      while (true) {
        TRY_LET(std::optional<Attribute> peer, peers.next());
        if (!peer) break;
        TRY(take_peer(Attributes(peer->value)));
      }
    }
  }
}

void find_family(netlink::Request& request, uint32_t sequence) {
  request.message(GENL_ID_CTRL, 0, sequence);
  genlmsghdr header{};
  header.cmd = CTRL_CMD_GETFAMILY;
  header.version = 1;
  request.header(header);
  request.text(CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
}

Result<uint16_t> family_of(Bytes body) {
  genlmsghdr header;
  TRY_LET(Attributes attributes, netlink::open_body(body, &header));
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) return fail(Code::not_found, "wireguard.family");
    if (a->type == CTRL_ATTR_FAMILY_ID) return netlink::u16_of(a->value);
  }
}

std::vector<PeerChange> peer_changes(const Device& device, const std::vector<Peer>& peers) {
  std::map<WireguardKey, const Peer*> wanted;
  for (const Peer& peer : peers) wanted[peer.key] = &peer;
  std::vector<PeerChange> out, corrections;
  for (const DevicePeer& peer : device.peers) {
    auto found = wanted.find(peer.key);
    if (found == wanted.end()) {
      PeerChange change;
      change.key = peer.key;
      change.remove = true;
      out.push_back(change);
      continue;
    }
    const bool same = peer.address == found->second->address && peer.port == kWireguardPort && !peer.preshared &&
                      peer.keepalive == 0 && allows_exactly(peer, found->second->pods);
    if (!same) corrections.push_back({peer.key, false, found->second->address, found->second->pods});
    wanted.erase(found);
  }
  out.insert(out.end(), corrections.begin(), corrections.end());
  for (const Peer& peer : peers) {
    if (wanted.count(peer.key) != 0) out.push_back({peer.key, false, peer.address, peer.pods});
  }
  return out;
}

void ask_device(netlink::Request& request, uint16_t family, uint32_t sequence, std::string_view interface) {
  generic_header(request, family, NLM_F_DUMP, sequence, WG_CMD_GET_DEVICE);
  request.text(WGDEVICE_A_IFNAME, interface);
}

void set_device(netlink::Request& request, uint16_t family, uint32_t sequence, std::string_view interface,
                const WireguardSecret& key) {
  generic_header(request, family, NLM_F_ACK, sequence, WG_CMD_SET_DEVICE);
  request.text(WGDEVICE_A_IFNAME, interface);
  request.attribute(WGDEVICE_A_PRIVATE_KEY, key.declassify());
  request.u16(WGDEVICE_A_LISTEN_PORT, kWireguardPort);
  request.u32(WGDEVICE_A_FWMARK, 0);
}

void set_peers(netlink::Request& request, uint16_t family, uint32_t sequence, std::string_view interface,
               const std::vector<PeerChange>& changes, size_t first) {
  generic_header(request, family, NLM_F_ACK, sequence, WG_CMD_SET_DEVICE);
  request.text(WGDEVICE_A_IFNAME, interface);
  const size_t list = request.begin(WGDEVICE_A_PEERS);
  for (size_t i = first; i < changes.size() && i - first < kPeersPerMessage; ++i) {
    const PeerChange& change = changes[i];
    const size_t peer = request.begin(0);
    request.attribute(WGPEER_A_PUBLIC_KEY, change.key);
    if (change.remove) {
      request.u32(WGPEER_A_FLAGS, WGPEER_F_REMOVE_ME);
    } else {
      request.u32(WGPEER_A_FLAGS, WGPEER_F_REPLACE_ALLOWEDIPS);
      const std::array<uint8_t, WG_KEY_LEN> none{};
      request.attribute(WGPEER_A_PRESHARED_KEY, none);
      put_endpoint(request, change.address);
      request.u16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, 0);
      const size_t allowed = request.begin(WGPEER_A_ALLOWEDIPS);
      const size_t ip = request.begin(0);
      const uint32_t network = htonl(change.pods.network);
      request.u16(WGALLOWEDIP_A_FAMILY, AF_INET);
      request.attribute(WGALLOWEDIP_A_IPADDR, Bytes(reinterpret_cast<const uint8_t*>(&network), sizeof network));
      request.u8(WGALLOWEDIP_A_CIDR_MASK, change.pods.length);
      request.end(ip);
      request.end(allowed);
    }
    request.end(peer);
  }
  request.end(list);
}

}  // namespace cstl
