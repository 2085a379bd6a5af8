// The WireGuard device of the kernel over generic netlink (include/uapi/linux/wireguard.h, version 1): what it holds,
// and the few changes that bring it to what is desired. Living sessions stay: only peers that differ are named, and
// none is replaced that keeps its key.
//
// Secret: the private key goes in with device_key() only and comes back in dumps; it is never kept from those.
#pragma once

#include "svc/nodenetwork/desired.h"
#include "svc/nodenetwork/netlink.h"

namespace cstl {

using WireguardSecret = Secret<32>;

constexpr size_t kMaxDevicePeers = 2 * kMaxNodes;
constexpr size_t kPeersPerMessage = 256;         // 160 bytes each at most, in an attribute of 64 KiB

struct AllowedIp {
  sa_family_t family = AF_INET;
  std::array<uint8_t, 16> bytes{};
  uint8_t length = 0;
};

struct DevicePeer {
  WireguardKey key{};
  std::optional<IpAddress> address;              // nothing: no endpoint
  uint16_t port = 0;
  uint16_t keepalive = 0;
  bool preshared = false;
  int64_t handshake = 0;                         // Unix seconds of the last one; 0: none yet
  uint64_t received = 0, sent = 0;               // bytes
  std::vector<AllowedIp> allowed;
};

struct Device {
  WireguardKey key{};                            // public; zero: none is set
  uint16_t port = 0;
  uint32_t mark = 0;
  std::vector<DevicePeer> peers;
};

// Puts a dump's messages together: a peer's allowed IPs may go on in the next message.
class DeviceReader {
 public:
  // The body of one message, after its nlmsghdr. Errors: truncated, bad_value, too_long (more than kMaxDevicePeers).
  Status take(Bytes body);
  Device device;

 private:
  Status take_peer(netlink::Attributes attributes);
};

// The family's number in the answer to find_family(). Errors: truncated, bad_value, not_found.
Result<uint16_t> family_of(Bytes body);
void find_family(netlink::Request& request, uint32_t sequence);

// What has to change in the peers.
struct PeerChange {
  WireguardKey key{};
  bool remove = false;                           // otherwise add or correct it: the other fields are set
  IpAddress address;
  PodRange pods;
};
// Removals first. Empty: nothing is to be done.
std::vector<PeerChange> peer_changes(const Device& device, const std::vector<Peer>& peers);

void ask_device(netlink::Request& request, uint16_t family, uint32_t sequence, std::string_view interface);
// Sets key and port.
void set_device(netlink::Request& request, uint16_t family, uint32_t sequence, std::string_view interface,
                const WireguardSecret& key);
// At most kPeersPerMessage changes from `first` on.
void set_peers(netlink::Request& request, uint16_t family, uint32_t sequence, std::string_view interface,
               const std::vector<PeerChange>& changes, size_t first);

}  // namespace cstl
