#include "boot/metadata/metadata.h"

#include "crypto/base/json_object.h"
#include "crypto/base/fd.h"
#include "svc/wire/join.h"

namespace cstl {
namespace {

constexpr size_t kMaxAddressText = 64;  // the longest IPv6 address in brackets, with prefix length or port, is shorter

Status parse_dns(const JsonObject& network, const nlohmann::json& value, Metadata* out) {
  if (!value.is_array()) return network.wrong("dns", "is not a list");
  if (value.size() > kMaxNameServers) return network.wrong("dns", "holds more than 3 name servers");
  for (const auto& item : value) {
    const std::string* text = item.get_ptr<const std::string*>();
    auto server = text ? parse_ip(*text) : Result<IpAddress>(fail(Code::bad_value, "metadata.dns"));
    if (!server) return network.wrong("dns", "holds an entry that is not an IP address");
    out->dns.push_back(*server);
  }
  return success();
}

Status parse_network(const nlohmann::json& value, Metadata* out, std::string* problem) {
  JsonObject network(value, Code::metadata_malformed, "network.", problem);
  TRY(network.members({"address", "gateway", "dns"}));
  TRY_LET(std::string_view address, network.text("address", kMaxAddressText));
  auto prefix = parse_prefix(address);
  if (!prefix) return network.wrong("address", "is not an IP address with a prefix length");
  out->address = *prefix;
  if (network.has("dns")) {
    TRY_LET(const nlohmann::json* dns, network.member("dns"));
    TRY(parse_dns(network, *dns, out));
  }
  if (!network.has("gateway")) return success();
  TRY_LET(std::string_view text, network.text("gateway", kMaxAddressText));
  auto gateway = parse_ip(text);
  if (!gateway) return network.wrong("gateway", "is not an IP address");
  if (gateway->family != prefix->address.family) return network.wrong("gateway", "is of another family than the address");
  out->gateway = *gateway;
  return success();
}

Status parse_join(const JsonObject& root, const nlohmann::json& value, Metadata* out) {
  if (!value.is_array()) return root.wrong("join", "is not a list");
  if (value.size() > kMaxJoinEndpoints) return root.wrong("join", "holds more than 8 endpoints");
  for (const auto& item : value) {
    const std::string* text = item.get_ptr<const std::string*>();
    if (!text || text->size() > kMaxAddressText) return root.wrong("join", "holds an entry that is not address:port");
    auto endpoint = parse_endpoint(*text);
    if (!endpoint) return root.wrong("join", "holds an entry that is not address:port");
    out->join.push_back(*endpoint);
  }
  return success();
}

}  // namespace

Result<Metadata> Metadata::parse(std::string_view json, std::string* problem) {
  auto document = parse_json(json, kMaxMetadata, 4);
  if (!document) {
    if (problem) *problem = document.code() == Code::too_long ? "it is larger than 16 KiB" : "it is not valid JSON";
    return fail(Code::metadata_malformed, "metadata.json");
  }
  JsonObject root(*document, Code::metadata_malformed, "", problem);
  TRY(root.members({"cstl", "name", "role", "variant", "network", "join", "init_secret_sha256"}));
  TRY(root.literal("cstl", "metadata/1"));

  Metadata out;
  TRY_LET(std::string_view name, root.text("name", kMaxNodeName));
  if (!valid_node_name(name)) return root.wrong("name", "is not a node name ([a-z0-9-], at most 63)");
  out.name = std::string(name);

  TRY_LET(std::string_view role_text, root.text("role", 32));
  auto role = role_from_name(role_text);
  if (!role) return root.wrong("role", "is neither control-plane nor worker");
  out.role = *role;

  TRY_LET(std::string_view variant_text, root.text("variant", 32));
  auto variant = variant_from_name(variant_text);
  if (!variant || !variant_implemented(*variant)) return root.wrong("variant", "is not a variant of this build");
  out.variant = *variant;

  TRY_LET(const nlohmann::json* network, root.member("network"));
  TRY(parse_network(*network, &out, problem));
  if (root.has("join")) {
    TRY_LET(const nlohmann::json* join, root.member("join"));
    TRY(parse_join(root, *join, &out));
  }
  if (root.has("init_secret_sha256")) {
    Digest32 hash{};
    TRY(root.hex("init_secret_sha256", hash));
    out.init_secret_sha256 = hash;
  }
  return out;
}

std::string Metadata::to_json() const {
  nlohmann::ordered_json network;
  network["address"] = ip_text(address.address) + "/" + std::to_string(address.length);
  if (gateway) network["gateway"] = ip_text(*gateway);
  for (const IpAddress& server : dns) network["dns"].push_back(ip_text(server));
  nlohmann::ordered_json out;
  out["cstl"] = "metadata/1";
  out["name"] = name;
  out["role"] = role_name(role);
  out["variant"] = variant_name(variant);
  out["network"] = std::move(network);
  out["join"] = nlohmann::ordered_json::array();
  for (const Endpoint& endpoint : join) out["join"].push_back(endpoint_text(endpoint));
  if (init_secret_sha256) out["init_secret_sha256"] = to_hex(*init_secret_sha256);
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<Metadata> FwCfgMetadata::read(std::string* problem) {
  auto text = read_file(path_.c_str(), kMaxMetadata);
  if (!text) {
    if (problem) *problem = path_ + ": cannot be read";
    if (text.code() == Code::too_long) return fail(Code::metadata_malformed, "metadata.size");
    return text.error();
  }
  return Metadata::parse(Bytes(*text).text(), problem);
}

}  // namespace cstl
