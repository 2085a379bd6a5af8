// What of the addresses in Kubernetes' objects this service takes: nodes have IPv4 or IPv6 addresses, pod ranges are IPv4
// prefixes. Literal forms (crypto/base/address.h); allocates nothing but the texts that it returns. Nothing here is secret.
#pragma once

#include "crypto/base/address.h"

namespace cstl {

// Errors: bad_value. Not accepted: zones, brackets, unspecified, loopback, multicast and (IPv6) link-local addresses.
Result<IpAddress> parse_node_address(std::string_view text);

// In host order; for addresses of family 4.
constexpr uint32_t ipv4_value(const IpAddress& address) {
  const auto& b = address.bytes;
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
}

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
