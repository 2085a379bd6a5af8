// Addresses as Kubernetes writes them: pod ranges are IPv4 prefixes, nodes have IPv4 or IPv6 addresses. Literal forms
// of inet_pton(3) only; allocates nothing but the texts that it returns. Nothing here is secret.
#pragma once

#include <sys/socket.h>

#include <string>

#include "crypto/base/bytes.h"

namespace cstl {

struct NodeAddress {
  sa_family_t family = AF_UNSPEC;       // AF_INET or AF_INET6; AF_UNSPEC: none
  std::array<uint8_t, 16> bytes{};      // network order; the first 4 for AF_INET, the others zero
  size_t size() const { return family == AF_INET ? 4 : 16; }
  bool operator==(const NodeAddress& o) const { return family == o.family && bytes == o.bytes; }
};

// Errors: bad_value. Not accepted: zones, brackets, unspecified, loopback, multicast and (IPv6) link-local addresses.
Result<NodeAddress> parse_node_address(std::string_view text);
std::string address_text(const NodeAddress& address);

struct PodRange {                       // an IPv4 network
  uint32_t network = 0;                 // host order; bits after `length` are zero
  uint8_t length = 0;                   // 8..30

  uint32_t mask() const { return ~uint32_t{0} << (32 - length); }
  uint32_t first_host() const { return network + 1; }
  bool holds(const PodRange& o) const { return o.length >= length && (o.network & mask()) == network; }
  bool overlaps(const PodRange& o) const { return holds(o) || o.holds(*this); }
  bool operator==(const PodRange& o) const { return network == o.network && length == o.length; }
};

// "10.244.1.0/24", host bits zero, length 8..30. Errors: bad_value; unsupported (IPv6).
Result<PodRange> parse_pod_range(std::string_view text);
std::string range_text(const PodRange& range);

}  // namespace cstl
