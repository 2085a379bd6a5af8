#include "svc/nodenetwork/address.h"

#include <arpa/inet.h>

namespace cstl {
namespace {

constexpr uint8_t kShortest = 8, kLongest = 30;

// inet_pton(3) wants a terminator.
bool parse_literal(int family, std::string_view text, void* out) {
  char copy[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(copy, text.data(), text.size());
  return inet_pton(family, copy, out) == 1;
}

}  // namespace

Result<NodeAddress> parse_node_address(std::string_view text) {
  NodeAddress out;
  if (parse_literal(AF_INET, text, out.bytes.data())) {
    const uint8_t first = out.bytes[0];
    if (first == 0 || first == 127 || first >= 224) return fail(Code::bad_value, "address.kind");
    out.family = AF_INET;
    return out;
  }
  out.bytes = {};
  if (!parse_literal(AF_INET6, text, out.bytes.data())) return fail(Code::bad_value, "address.form");
  // 2000::/3 and fc00::/7: global and unique local unicast. Everything that is special lies outside of them.
  const uint8_t first = out.bytes[0];
  if ((first & 0xe0) != 0x20 && (first & 0xfe) != 0xfc) return fail(Code::bad_value, "address.kind");
  out.family = AF_INET6;
  return out;
}

std::string address_text(const NodeAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.family == AF_UNSPEC) return {};
  inet_ntop(address.family, address.bytes.data(), text, sizeof text);
  return text;
}

Result<PodRange> parse_pod_range(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return fail(Code::bad_value, "range.form");
  const std::string_view length = text.substr(slash + 1);
  std::array<uint8_t, 16> bytes{};
  if (!parse_literal(AF_INET, text.substr(0, slash), bytes.data())) {
    const bool v6 = parse_literal(AF_INET6, text.substr(0, slash), bytes.data());
    return fail(v6 ? Code::unsupported : Code::bad_value, "range.address");
  }
  unsigned bits = 0;
  if (length.empty() || length.size() > 2 || length[0] == '0') return fail(Code::bad_value, "range.length");
  for (char c : length) {
    if (c < '0' || c > '9') return fail(Code::bad_value, "range.length");
    bits = bits * 10 + static_cast<unsigned>(c - '0');
  }
  if (bits < kShortest || bits > kLongest) return fail(Code::bad_value, "range.length");
  PodRange out;
  out.length = static_cast<uint8_t>(bits);
  for (size_t i = 0; i < 4; ++i) out.network = out.network << 8 | bytes[i];
  if ((out.network & ~out.mask()) != 0) return fail(Code::bad_value, "range.host_bits");
  if (bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224) return fail(Code::bad_value, "range.kind");
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
