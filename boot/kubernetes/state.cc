#include "boot/kubernetes/state.h"

#include "crypto/base/fd.h"
#include "crypto/base/json_object.h"

namespace cstl::kubernetes {
namespace {
constexpr size_t kMaxAddressText = 64;
}

Result<SetupState> SetupState::parse(std::string_view json, std::string* problem) {
  auto document = parse_json(json, kMaxState, 5);
  if (!document) {
    if (problem) *problem = document.code() == Code::too_long ? "it is too large" : "it is not valid JSON";
    return fail(Code::kubernetes_state, "kubernetes_state.json");
  }
  JsonObject root(*document, Code::kubernetes_state, "", problem);
  TRY(root.members({"cstl", "phase", "address", "endpoint", "cluster"}));
  TRY(root.literal("cstl", "kubernetes/1"));
  SetupState out;
  TRY_LET(std::string_view phase, root.text("phase", 16));
  if (phase != "joining" && phase != "complete") return root.wrong("phase", "is neither joining nor complete");
  out.phase = phase == "joining" ? Phase::joining : Phase::complete;
  TRY_LET(std::string_view address_text, root.text("address", kMaxAddressText));
  auto address = parse_ip(address_text);
  if (!address) return root.wrong("address", "is not an IP address");
  out.address = *address;
  TRY_LET(std::string_view endpoint, root.text("endpoint", kMaxAddressText));
  if (!parse_endpoint(endpoint)) return root.wrong("endpoint", "is not address:port");
  out.endpoint = std::string(endpoint);
  TRY_LET(const nlohmann::json* cluster, root.member("cluster"));
  auto config = ClusterConfig::parse(cluster->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), problem);
  if (!config) return fail(Code::kubernetes_state, "kubernetes_state.cluster");
  out.cluster = std::move(*config);
  return out;
}

std::string SetupState::to_json() const {
  nlohmann::ordered_json out;
  out["cstl"] = "kubernetes/1";
  out["phase"] = phase == Phase::joining ? "joining" : "complete";
  out["address"] = ip_text(address);
  out["endpoint"] = endpoint;
  std::string text = out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  // The configuration writes itself; it is the last member, so that no text is parsed twice.
  text.resize(text.rfind('\n'));
  return text + ",\n  \"cluster\": " + cluster.to_json() + "}\n";
}

Result<SetupState> SetupState::load(const std::string& path, std::string* problem) {
  auto text = read_file(path.c_str(), kMaxState);
  if (text.code() == Code::too_long) {
    if (problem) *problem = "it is too large";
    return fail(Code::kubernetes_state, "kubernetes_state.size");
  }
  if (!text) return text.error();
  return parse(Bytes(*text).text(), problem);
}

Status SetupState::store(const std::string& path) const { return write_file_durably(path.c_str(), to_json(), 0600); }

}  // namespace cstl::kubernetes
