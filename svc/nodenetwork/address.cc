#include "svc/nodenetwork/address.h"

namespace cstl {
namespace {

constexpr uint8_t kShortest = 8, kLongest = 30;

// Neither "this network" nor loopback, multicast or reserved.
bool ordinary_ipv4(const IpAddress& address) {
  const uint8_t first = address.bytes[0];
  return first != 0 && first != 127 && first < 224;
}

}  // namespace

Result<IpAddress> parse_node_address(std::string_view text) {
  TRY_LET(const IpAddress out, parse_ip(text));
  const uint8_t first = out.bytes[0];
  // 2000::/3 and fc00::/7: global and unique local unicast. Everything that is special lies outside of them.
  const bool good = out.family == 4 ? ordinary_ipv4(out) : (first & 0xe0) == 0x20 || (first & 0xfe) == 0xfc;
  if (!good) return fail(Code::bad_value, "address.kind");
  return out;
}

Result<PodRange> parse_pod_range(std::string_view text) {
  TRY_LET(const IpPrefix prefix, parse_prefix(text));
  if (prefix.address.family != 4) return fail(Code::unsupported, "range.address");
  if (prefix.length < kShortest || prefix.length > kLongest) return fail(Code::bad_value, "range.length");
  PodRange out;
  out.length = prefix.length;
  out.network = ipv4_value(prefix.address);
  if ((out.network & ~out.mask()) != 0) return fail(Code::bad_value, "range.host_bits");
  if (!ordinary_ipv4(prefix.address)) return fail(Code::bad_value, "range.kind");
  return out;
}

std::string range_text(const PodRange& range) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += std::to_string(range.network >> shift & 0xff) + (shift == 0 ? "/" : ".");
  }
  return out + std::to_string(range.length);
}

}  // namespace cstl
