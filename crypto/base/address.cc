#include "crypto/base/address.h"

#include <arpa/inet.h>

namespace cstl {
namespace {

// Decimal without sign, space or leading zero.
Result<unsigned> parse_number(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return fail(Code::bad_value, "address.number");
  unsigned value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return fail(Code::bad_value, "address.number");
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value == 0 || value > max) return fail(Code::bad_value, "address.number");
  return value;
}

}  // namespace

Result<IpAddress> parse_ip(std::string_view text) {
  char copy[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) {
    return fail(Code::bad_value, "address.ip");
  }
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  IpAddress out;
  if (inet_pton(AF_INET, copy, out.bytes.data()) == 1) {
    out.family = 4;
    return out;
  }
  out.bytes = {};
  if (inet_pton(AF_INET6, copy, out.bytes.data()) != 1) return fail(Code::bad_value, "address.ip");
  out.family = 6;
  return out;
}

std::string ip_text(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(address.family == 4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

Result<IpPrefix> parse_prefix(std::string_view text) {
  size_t slash = text.find('/');
  if (slash == std::string_view::npos) return fail(Code::bad_value, "address.prefix");
  IpPrefix out;
  TRY_LET(out.address, parse_ip(text.substr(0, slash)));
  TRY_LET(unsigned length, parse_number(text.substr(slash + 1), out.address.family == 4 ? 32 : 128));
  out.length = static_cast<uint8_t>(length);
  return out;
}

socklen_t Endpoint::fill(sockaddr_storage* out) const {
  *out = {};
  if (address.family == 4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data(), 4);
    std::memcpy(out, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
  std::memcpy(out, &v6, sizeof v6);
  return sizeof v6;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(Code::bad_value, "address.endpoint");
  std::string_view host = text.substr(0, colon);
  bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  Endpoint out;
  TRY_LET(out.address, parse_ip(host));
  if (brackets != (out.address.family == 6)) return fail(Code::bad_value, "address.endpoint");
  TRY_LET(unsigned port, parse_number(text.substr(colon + 1), 65535));
  out.port = static_cast<uint16_t>(port);
  return out;
}

std::string endpoint_text(const Endpoint& endpoint) {
  std::string host = ip_text(endpoint.address);
  if (endpoint.address.family == 6) host = "[" + host + "]";
  return host + ":" + std::to_string(endpoint.port);
}

}  // namespace cstl
