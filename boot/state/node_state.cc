#include "boot/state/node_state.h"

#include "crypto/base/json_object.h"
#include "crypto/base/fd.h"
#include "svc/wire/join.h"

namespace cstl {

Result<NodeState> NodeState::parse(std::string_view json, std::string* problem) {
  auto document = parse_json(json, kMaxNodeState, 2);
  if (!document) {
    if (problem) *problem = document.code() == Code::too_long ? "it is larger than 4 KiB" : "it is not valid JSON";
    return fail(Code::node_state, "node_state.json");
  }
  JsonObject root(*document, Code::node_state, "", problem);
  TRY(root.members({"cstl", "name", "role", "variant", "cluster_id", "measurement_salt", "owner_key", "kubernetes"}));
  TRY(root.literal("cstl", "node-state/1"));

  NodeState out;
  TRY_LET(std::string_view name, root.text("name", kMaxNodeName));
  if (!valid_node_name(name)) return root.wrong("name", "is not a node name");
  out.name = std::string(name);
  TRY_LET(std::string_view role_text, root.text("role", 32));
  auto role = role_from_name(role_text);
  if (!role) return root.wrong("role", "is neither control-plane nor worker");
  out.role = *role;
  TRY_LET(std::string_view variant_text, root.text("variant", 32));
  auto variant = variant_from_name(variant_text);
  if (!variant || !variant_implemented(*variant)) return root.wrong("variant", "is not a variant of this build");
  out.variant = *variant;
  TRY(root.hex("cluster_id", out.cluster_id));
  TRY(root.hex("measurement_salt", out.measurement_salt));
  TRY(root.hex("owner_key", out.owner_key));
  if (out.owner_key[0] != 4) return root.wrong("owner_key", "is not an uncompressed point");
  if (root.has("kubernetes")) {
    TRY_LET(const nlohmann::json* kubernetes, root.member("kubernetes"));
    if (!kubernetes->is_boolean()) return root.wrong("kubernetes", "is neither true nor false");
    out.kubernetes = kubernetes->get<bool>();
  }
  return out;
}

std::string NodeState::to_json() const {
  nlohmann::ordered_json out;
  out["cstl"] = "node-state/1";
  out["name"] = name;
  out["role"] = role_name(role);
  out["variant"] = variant_name(variant);
  out["cluster_id"] = to_hex(cluster_id);
  out["measurement_salt"] = to_hex(measurement_salt);
  out["owner_key"] = to_hex(owner_key);
  if (kubernetes) out["kubernetes"] = true;
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<NodeState> NodeState::load(const char* path, std::string* problem) {
  auto text = read_file(path, kMaxNodeState);
  if (!text) {
    if (problem) *problem = "it cannot be read";
    if (text.code() == Code::too_long) return fail(Code::node_state, "node_state.size");
    return text.error();
  }
  return parse(Bytes(*text).text(), problem);
}

Status NodeState::store(const char* path) const { return write_file_durably(path, to_json(), 0644); }

}  // namespace cstl
