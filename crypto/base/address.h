// Literal network addresses: IPv4 and IPv6, no names. Parsing uses inet_pton(3), allocates nothing and
// does no I/O. Nothing here is secret.
#pragma once

#include <netinet/in.h>

#include <string>

#include "crypto/base/bytes.h"

namespace cstl {

struct IpAddress {
  uint8_t family = 4;                   // 4 or 6
  std::array<uint8_t, 16> bytes{};      // network order; the first 4 when family is 4
  size_t size() const { return family == 4 ? 4 : 16; }
  bool operator==(const IpAddress& o) const { return family == o.family && bytes == o.bytes; }
};

// "10.0.2.15" or "fd00::15": exactly the forms of inet_pton(3), no zone, no brackets. Errors: bad_value.
Result<IpAddress> parse_ip(std::string_view text);
std::string ip_text(const IpAddress& address);

struct IpPrefix {                       // an interface's own address and the length of its network
  IpAddress address;
  uint8_t length = 0;                   // 1..32 or 1..128
};
// "10.0.2.15/24". Errors: bad_value.
Result<IpPrefix> parse_prefix(std::string_view text);

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;                    // 1..65535
  // For connect(2) and bind(2); returns the length.
  socklen_t fill(sockaddr_storage* out) const;
};
// "10.0.2.2:19090" or "[fd00::2]:19090". Errors: bad_value.
Result<Endpoint> parse_endpoint(std::string_view text);
std::string endpoint_text(const Endpoint& endpoint);

}  // namespace cstl
