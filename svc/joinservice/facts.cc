#include "svc/joinservice/facts.h"

#include <arpa/inet.h>

#include <algorithm>

#include "crypto/base/fd.h"
#include "crypto/base/json.h"

namespace cstl {

namespace {
constexpr size_t kMaxFactText = 4096;
constexpr size_t kMaxSans = 128;

Error wrong(std::string* problem, const char* what) {
  if (problem != nullptr) *problem = what;
  return fail(Code::config_malformed, "facts.value");
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

// The host of "10.0.2.15:6443" or "[fd00::1]:6443"; empty when it is neither.
std::string_view host_of(std::string_view endpoint) {
  size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == endpoint.size() || endpoint.size() - colon > 6) return {};
  for (char c : endpoint.substr(colon + 1)) {
    if (c < '0' || c > '9') return {};
  }
  std::string_view host = endpoint.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') return host.substr(1, host.size() - 2);
  return host;
}
}  // namespace

Result<NodeAddress> parse_node_address(std::string_view text) {
  char copy[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof copy) return fail(Code::bad_value, "address.text");
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  NodeAddress out;
  int family = text.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
  out.family = family == AF_INET ? 4 : 6;
  if (inet_pton(family, copy, out.bytes.data()) != 1) return fail(Code::bad_value, "address.text");
  if (inet_ntop(family, out.bytes.data(), again, sizeof again) == nullptr || text != again) {
    return fail(Code::bad_value, "address.canonical");
  }
  return out;
}

Result<AddressRange> parse_address_range(std::string_view text) {
  size_t slash = text.find('/');
  if (slash == std::string_view::npos || text.size() - slash > 4) return fail(Code::bad_value, "address.range");
  AddressRange out;
  TRY_LET(out.first, parse_node_address(text.substr(0, slash)));
  std::string_view bits = text.substr(slash + 1);
  if (bits.empty() || bits.find_first_not_of("0123456789") != std::string_view::npos) {
    return fail(Code::bad_value, "address.range");
  }
  for (char c : bits) out.bits = out.bits * 10 + static_cast<unsigned>(c - '0');
  if (out.bits > (out.first.family == 4 ? 32u : 128u)) return fail(Code::bad_value, "address.range");
  return out;
}

bool AddressRange::holds(const NodeAddress& address) const {
  if (address.family != first.family) return false;
  for (unsigned i = 0; i < bits; ++i) {
    unsigned mask = 0x80u >> (i % 8);
    if (((address.bytes[i / 8] ^ first.bytes[i / 8]) & mask) != 0) return false;
  }
  return true;
}

Result<ClusterFacts> ClusterFacts::parse(std::string config, std::string_view salt, std::string_view owner,
                                         std::string_view ca_hash, std::string* problem) {
  ClusterFacts out;
  if (!from_hex(trimmed(salt), out.salt).ok()) return wrong(problem, "measurement-salt");
  if (!from_hex(trimmed(owner), out.owner).ok() || out.owner[0] != 4) return wrong(problem, "owner-key");
  if (!from_hex(trimmed(ca_hash), out.ca_hash).ok()) return wrong(problem, "ca-hash");
  TRY_LET(nlohmann::json root, parse_json(config, kMaxClusterConfig));
  if (!root.is_object()) return wrong(problem, "cluster.json");
  auto endpoint = root.find("endpoint");
  if (endpoint == root.end() || !endpoint->is_string()) return wrong(problem, "endpoint");
  out.endpoint = endpoint->get_ref<const std::string&>();
  auto address = parse_node_address(host_of(out.endpoint));
  if (!address.ok() || out.endpoint.size() > 64) return wrong(problem, "endpoint");
  out.reserved.push_back(*address);
  if (auto sans = root.find("sans"); sans != root.end()) {
    if (!sans->is_array() || sans->size() > kMaxSans) return wrong(problem, "sans");
    for (const auto& san : *sans) {
      if (!san.is_string()) return wrong(problem, "sans");
      out.sans.push_back(san.get_ref<const std::string&>());
      if (auto literal = parse_node_address(out.sans.back()); literal.ok()) out.reserved.push_back(*literal);
    }
  }
  for (const char* name : {"service_cidr", "pod_cidr"}) {
    auto range = root.find(name);
    if (range == root.end()) continue;
    if (!range->is_string()) return wrong(problem, name);
    auto parsed = parse_address_range(range->get_ref<const std::string&>());
    if (!parsed.ok()) return wrong(problem, name);
    out.ranges.push_back(*parsed);
  }
  out.config = std::move(config);
  return out;
}

Result<ClusterFacts> ClusterFacts::read(const std::string& folder, std::string* problem) {
  auto text = [&](const char* name, size_t max) -> Result<std::string> {
    if (problem != nullptr) *problem = name;
    TRY_LET(std::vector<uint8_t> bytes, read_file((folder + "/" + name).c_str(), max));
    return std::string(Bytes(bytes).text());
  };
  TRY_LET(std::string config, text("cluster.json", kMaxClusterConfig));
  TRY_LET(std::string salt, text("measurement-salt", kMaxFactText));
  TRY_LET(std::string owner, text("owner-key", kMaxFactText));
  TRY_LET(std::string ca_hash, text("ca-hash", kMaxFactText));
  if (problem != nullptr) problem->clear();
  return parse(std::move(config), salt, owner, ca_hash, problem);
}

bool ClusterFacts::reserved_name(std::string_view name) const {
  return name == "kubernetes" || name == "localhost" || std::find(sans.begin(), sans.end(), name) != sans.end();
}

bool ClusterFacts::reserved_address(const NodeAddress& address) const {
  // RFC 6890: what is no host's own address.
  constexpr std::string_view kNoHosts[] = {"0.0.0.0/8",   "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3",
                                           "::/127",      "::ffff:0.0.0.0/96", "fe80::/10", "ff00::/8"};
  for (std::string_view text : kNoHosts) {
    auto range = parse_address_range(text);
    if (!range.ok() || range->holds(address)) return true;
  }
  for (const AddressRange& range : ranges) {
    if (range.holds(address)) return true;
  }
  return std::find(reserved.begin(), reserved.end(), address) != reserved.end();
}

}  // namespace cstl
