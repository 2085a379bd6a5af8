#include "boot/cluster/config.h"

#include <algorithm>

#include "crypto/base/json_object.h"
#include "svc/wire/join.h"

namespace cstl {
namespace {

constexpr size_t kMaxAddressText = 64;
constexpr size_t kMaxDnsName = 253;

bool label_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// RFC 1123 subdomain: labels of lower-case letters, digits and inner hyphens.
bool dns_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxDnsName) return false;
  while (!name.empty()) {
    size_t dot = name.find('.');
    if (!valid_node_name(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
  return false;  // ends in a dot
}

bool plain_url(std::string_view url) {
  const bool scheme = url.rfind("https://", 0) == 0 || url.rfind("file:///", 0) == 0 || url.rfind("data:", 0) == 0;
  return scheme && std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 127; });
}

// Absolute, no empty, "." or ".." part, plain characters, in a folder that nodes can write and that is not the system's.
bool plain_path(std::string_view path) {
  static constexpr std::string_view kRoots[] = {"/opt/", "/var/lib/", "/etc/cni/"};
  const bool below = std::any_of(std::begin(kRoots), std::end(kRoots), [path](std::string_view root) {
    return path.size() > root.size() && path.rfind(root, 0) == 0;
  });
  if (!below) return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    size_t slash = std::min(path.find('/'), path.size());
    std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    for (char c : part) {
      if (!label_character(c) && !(c >= 'A' && c <= 'Z') && c != '.' && c != '_' && c != '-' && c != '+') return false;
    }
    path.remove_prefix(slash);
  }
  return true;
}

bool bit(const IpAddress& address, size_t at) { return (address.bytes[at / 8] >> (7 - at % 8) & 1) != 0; }

bool host_bits_zero(const IpPrefix& prefix) {
  for (size_t i = prefix.length; i < prefix.address.size() * 8; ++i) {
    if (bit(prefix.address, i)) return false;
  }
  return true;
}

bool overlap(const IpPrefix& a, const IpPrefix& b) {
  for (size_t i = 0; i < std::min(a.length, b.length); ++i) {
    if (bit(a.address, i) != bit(b.address, i)) return false;
  }
  return true;
}

Result<IpPrefix> parse_range(const JsonObject& root, const char* name, uint8_t longest4, uint8_t longest6) {
  TRY_LET(std::string_view text, root.text(name, kMaxAddressText));
  auto prefix = parse_prefix(text);
  if (!prefix) return root.wrong(name, "is not an address range such as 10.96.0.0/16");
  if (prefix_text(*prefix) != text) return root.wrong(name, "is not in its shortest form");
  if (!host_bits_zero(*prefix)) return root.wrong(name, "has bits behind its prefix");
  if (prefix->length > (prefix->address.family == 4 ? longest4 : longest6)) return root.wrong(name, "is too small a range");
  return *prefix;
}

Status parse_sans(const JsonObject& root, const nlohmann::json& value, ClusterConfig* out) {
  if (!value.is_array()) return root.wrong("sans", "is not a list");
  if (value.size() > kMaxSans) return root.wrong("sans", "holds more than 32 names");
  for (const auto& item : value) {
    const std::string* text = item.get_ptr<const std::string*>();
    if (!text || (!dns_name(*text) && !parse_ip(*text).ok())) {
      return root.wrong("sans", "holds an entry that is neither a lower-case DNS name nor an IP address");
    }
    out->sans.push_back(*text);
  }
  return success();
}

Result<Component> parse_component(const nlohmann::json& value, std::string* problem) {
  JsonObject object(value, Code::cluster_malformed, "components.", problem);
  TRY(object.members({"url", "sha256", "path", "archive"}));
  Component out;
  TRY_LET(std::string_view url, object.text("url", kMaxComponentUrl));
  if (!plain_url(url)) return object.wrong("url", "is neither https://, file:/// nor data:, or holds odd characters");
  out.url = std::string(url);
  TRY(object.hex("sha256", out.sha256));
  if (equal(out.sha256, Digest32{})) return object.wrong("sha256", "is zero");
  TRY_LET(std::string_view path, object.text("path", kMaxComponentPath));
  if (!plain_path(path)) return object.wrong("path", "is not a plain path below /opt/, /var/lib/ or /etc/cni/");
  out.path = std::string(path);
  if (object.has("archive")) {
    TRY_LET(const nlohmann::json* archive, object.member("archive"));
    if (!archive->is_boolean()) return object.wrong("archive", "is neither true nor false");
    out.archive = archive->get<bool>();
  }
  return out;
}

Status parse_components(const JsonObject& root, const nlohmann::json& value, ClusterConfig* out, std::string* problem) {
  if (!value.is_array()) return root.wrong("components", "is not a list");
  if (value.size() > kMaxComponents) return root.wrong("components", "holds more than 64 entries");
  for (const auto& item : value) {
    TRY_LET(Component component, parse_component(item, problem));
    for (const Component& other : out->components) {
      if (!other.archive && other.path == component.path) return root.wrong("components", "installs two files as one");
    }
    out->components.push_back(std::move(component));
  }
  return success();
}

Result<uint16_t> version_part(std::string_view* text, char end) {
  size_t size = end == 0 ? text->size() : text->find(end);
  if (size == 0 || size > 3 || size == std::string_view::npos) return fail(Code::bad_value, "version.part");
  std::string_view digits = text->substr(0, size);
  if (digits.size() > 1 && digits[0] == '0') return fail(Code::bad_value, "version.part");
  unsigned value = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return fail(Code::bad_value, "version.part");
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  text->remove_prefix(std::min(size + 1, text->size()));
  return static_cast<uint16_t>(value);
}

}  // namespace

Result<KubernetesVersion> KubernetesVersion::parse(std::string_view text) {
  if (text.empty() || text[0] != 'v') return fail(Code::bad_value, "version.v");
  text.remove_prefix(1);
  KubernetesVersion out;
  TRY_LET(out.major, version_part(&text, '.'));
  TRY_LET(out.minor, version_part(&text, '.'));
  TRY_LET(out.patch, version_part(&text, 0));
  return out;
}

std::string KubernetesVersion::text() const {
  return "v" + std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

Status KubernetesVersion::supported() const {
  if (major != 1 || minor < kOldestMinor || minor > kNewestMinor) return fail(Code::kubernetes_version, "version.range");
  return success();
}

const char* pod_network_name(PodNetwork network) {
  switch (network) {
    case PodNetwork::wireguard: return "wireguard";
    case PodNetwork::cilium: return "cilium";
    case PodNetwork::none: return "none";
  }
  trap("cluster.network");
}

std::string prefix_text(const IpPrefix& prefix) { return ip_text(prefix.address) + "/" + std::to_string(prefix.length); }

Result<ClusterConfig> ClusterConfig::parse(std::string_view json, std::string* problem) {
  auto document = parse_json(json, kMaxCluster, 4);
  if (!document) {
    if (problem) *problem = document.code() == Code::too_long ? "it is larger than 64 KiB" : "it is not valid JSON";
    return fail(Code::cluster_malformed, "cluster.json");
  }
  JsonObject root(*document, Code::cluster_malformed, "", problem);
  TRY(root.members({"cstl", "name", "kubernetes", "endpoint", "sans", "service_cidr", "pod_cidr", "network", "components"}));
  TRY(root.literal("cstl", "cluster/1"));

  ClusterConfig out;
  TRY_LET(std::string_view name, root.text("name", kMaxClusterName));
  if (!valid_node_name(name)) return root.wrong("name", "is not a name ([a-z0-9-], at most 63)");
  out.name = std::string(name);

  TRY_LET(std::string_view version_text, root.text("kubernetes", 16));
  auto version = KubernetesVersion::parse(version_text);
  if (!version) return root.wrong("kubernetes", "is not a version such as v1.30.2");
  out.kubernetes = *version;
  if (Status supported = version->supported(); !supported.ok()) {
    (void)root.wrong("kubernetes", ("is not a version from v1." + std::to_string(kOldestMinor) + " to v1." +
                                    std::to_string(kNewestMinor)).c_str());
    return supported.error();
  }

  TRY_LET(std::string_view endpoint_text, root.text("endpoint", kMaxAddressText));
  auto endpoint = parse_endpoint(endpoint_text);
  if (!endpoint) return root.wrong("endpoint", "is not address:port");
  out.endpoint = *endpoint;
  if (root.has("sans")) {
    TRY_LET(const nlohmann::json* sans, root.member("sans"));
    TRY(parse_sans(root, *sans, &out));
  }

  TRY_LET(out.service_cidr, parse_range(root, "service_cidr", 24, 120));
  TRY_LET(out.pod_cidr, parse_range(root, "pod_cidr", 24, 64));
  if (out.service_cidr.address.family != out.pod_cidr.address.family) {
    return root.wrong("pod_cidr", "is of another family than service_cidr");
  }
  if (overlap(out.service_cidr, out.pod_cidr)) return root.wrong("pod_cidr", "overlaps service_cidr");

  if (root.has("network")) {
    TRY_LET(std::string_view network, root.text("network", 16));
    bool known = false;
    for (PodNetwork n : {PodNetwork::wireguard, PodNetwork::cilium, PodNetwork::none}) {
      if (network != pod_network_name(n)) continue;
      out.network = n;
      known = true;
    }
    if (!known) return root.wrong("network", "is neither wireguard, cilium nor none");
  }
  // cstl-nodenetwork has no IPv6, and Cilium's strict mode lets it pass in the clear.
  if (out.network != PodNetwork::none && out.pod_cidr.address.family != 4) {
    return root.wrong("pod_cidr", "is IPv6, which this network would not encrypt");
  }
  if (root.has("components")) {
    TRY_LET(const nlohmann::json* components, root.member("components"));
    TRY(parse_components(root, *components, &out, problem));
  }
  return out;
}

std::string ClusterConfig::to_json() const {
  nlohmann::ordered_json out;
  out["cstl"] = "cluster/1";
  out["name"] = name;
  out["kubernetes"] = kubernetes.text();
  out["endpoint"] = endpoint_text(endpoint);
  out["sans"] = sans;
  out["service_cidr"] = prefix_text(service_cidr);
  out["pod_cidr"] = prefix_text(pod_cidr);
  out["network"] = pod_network_name(network);
  out["components"] = nlohmann::ordered_json::array();
  for (const Component& c : components) {
    nlohmann::ordered_json item;
    item["url"] = c.url;
    item["sha256"] = to_hex(c.sha256);
    item["path"] = c.path;
    item["archive"] = c.archive;
    out["components"].push_back(std::move(item));
  }
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace cstl
