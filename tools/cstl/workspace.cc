#include "tools/cstl/workspace.h"

#include <climits>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/json_object.h"
#include "svc/wire/join.h"
#include "tools/cstl/reference.h"
#include "tools/cstl/yaml.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr size_t kMaxSecretFile = 4096;
constexpr size_t kMaxNodes = 1024;
constexpr size_t kMaxEndpoint = 256;

std::string state_path(const std::string& workspace) { return workspace + "/cstl-state.yaml"; }
std::string owner_path(const std::string& workspace) { return workspace + "/cstl-mastersecret.json"; }
}  // namespace

Result<std::string> read_text(const std::string& path, size_t max, std::string* problem) {
  auto data = read_file(path.c_str(), max);
  if (!data.ok()) {
    *problem = path;
    return fail(Code::workspace, "workspace.read", data.error().origin, data.error().foreign);
  }
  return std::string(Bytes(*data).text());
}

std::string absolute_workspace(const std::string& workspace) {
  char absolute[PATH_MAX];
  return realpath(workspace.c_str(), absolute) != nullptr ? absolute : workspace;
}

std::string in_workspace(const std::string& workspace, const std::string& path) {
  return !path.empty() && path[0] == '/' ? path : workspace + "/" + path;
}

int64_t unix_now() { return static_cast<int64_t>(std::time(nullptr)); }

Result<ClusterState> parse_state(std::string_view text, std::string* problem) {
  problem->clear();
  TRY_LET(json document, parse_yaml(text, problem));
  JsonObject root(document, Code::config_malformed, "", problem);
  TRY(root.members({"cstl", "cluster_id", "measurement_salt", "owner_key", "nodes"}));
  TRY(root.literal("cstl", "state/1"));
  ClusterState out;
  TRY(root.hex("cluster_id", out.cluster_id));
  TRY(root.hex("measurement_salt", out.measurement_salt));
  TRY(root.hex("owner_key", out.owner_key));
  TRY_LET(const json* nodes, root.member("nodes"));
  if (!nodes->is_array() || nodes->size() > kMaxNodes) return root.wrong("nodes", "is not a list of at most 1024");
  for (const json& element : *nodes) {
    JsonObject entry(element, Code::config_malformed, "nodes.", problem);
    TRY(entry.members({"name", "role", "verify", "recover"}));
    NodeFacts node;
    TRY_LET(node.name, entry.text("name", kMaxNodeName));
    TRY_LET(std::string_view role_text, entry.text("role", 32));
    auto role = role_from_name(role_text);
    if (!role.ok()) return entry.wrong("role", "is neither control-plane nor worker");
    node.role = *role;
    TRY_LET(node.verify, entry.optional_text("verify", kMaxEndpoint));
    TRY_LET(node.recover, entry.optional_text("recover", kMaxEndpoint));
    out.nodes.push_back(node);
  }
  return out;
}

Result<ClusterState> load_state(const std::string& workspace, std::string* problem) {
  TRY_LET(std::string text, read_text(state_path(workspace), kMaxYaml, problem));
  auto out = parse_state(text, problem);
  if (!out.ok()) *problem = state_path(workspace) + ": " + *problem;
  return out;
}

Status store_state(const std::string& workspace, const ClusterState& state) {
  json nodes = json::array();
  for (const NodeFacts& node : state.nodes) {
    json entry = {{"name", node.name}, {"role", role_name(node.role)}};
    if (!node.verify.empty()) entry["verify"] = node.verify;
    if (!node.recover.empty()) entry["recover"] = node.recover;
    nodes.push_back(entry);
  }
  json document = {{"cstl", "state/1"},
                   {"cluster_id", to_hex(state.cluster_id)},
                   {"measurement_salt", to_hex(state.measurement_salt)},
                   {"owner_key", to_hex(state.owner_key)},
                   {"nodes", nodes}};
  return write_file_durably(state_path(workspace).c_str(), write_yaml(document), 0644);
}

bool state_exists(const std::string& workspace) { return access(state_path(workspace).c_str(), F_OK) == 0; }
bool owner_exists(const std::string& workspace) { return access(owner_path(workspace).c_str(), F_OK) == 0; }

namespace {
void put_hex(Writer& out, Bytes secret) {
  for (uint8_t byte : secret) {
    static constexpr char kHex[] = "0123456789abcdef";
    out.u8(static_cast<uint8_t>(kHex[byte >> 4]));
    out.u8(static_cast<uint8_t>(kHex[byte & 15]));
  }
}

// Moves a hexadecimal member out of the document and wipes it there.
Result<Secret<32>> take_secret(json& document, const char* name) {
  if (!document.contains(name) || !document[name].is_string()) return fail(Code::workspace, "owner.field");
  auto& text = document[name].get_ref<std::string&>();
  Secret<32> out;
  Status decoded = from_hex(text, out.fill());
  wipe(MutBytes(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  if (!decoded.ok()) return fail(Code::workspace, "owner.hex");
  return out;
}
}  // namespace

Result<Owner> create_owner(const std::string& workspace) {
  if (owner_exists(workspace)) return fail(Code::exists, "owner.create");
  TRY_LET(SigningKey key, SigningKey::generate());
  Owner owner{MasterSecret{}, std::move(key)};
  TRY(random_bytes(owner.master.key.fill()));
  TRY(random_bytes(owner.master.salt.fill()));
  SecretBuffer buffer(kMaxSecretFile);
  Writer out(buffer.space());
  out.bytes("{\n  \"cstl\": \"master-secret/1\",\n  \"key\": \"");
  put_hex(out, owner.master.key.declassify());
  out.bytes("\",\n  \"salt\": \"");
  put_hex(out, owner.master.salt.declassify());
  out.bytes("\",\n  \"owner_key\": \"");
  put_hex(out, owner.key.scalar().declassify());
  out.bytes("\"\n}\n");
  TRY_LET(Bytes text, out.finish());
  TRY(write_file_durably(owner_path(workspace).c_str(), text, 0600));
  return owner;
}

Result<Owner> load_owner(const std::string& workspace, std::string* problem) {
  std::string path = owner_path(workspace);
  *problem = path;
  auto file = open_file(path.c_str(), O_RDONLY);
  if (!file.ok()) return fail(Code::workspace, "owner.open", file.error().origin, file.error().foreign);
  struct stat facts {};
  if (fstat(file->get(), &facts) != 0) return fail_errno("owner.stat");
  if ((facts.st_mode & 077) != 0) {
    *problem = path + " can be read by others: chmod 600 it, and consider the secret exposed";
    return fail(Code::workspace, "owner.mode");
  }
  TRY_LET(auto data, read_fd(file->get(), kMaxSecretFile));
  auto document = parse_json(Bytes(data).text(), kMaxSecretFile);
  wipe(data);
  if (!document.ok()) return document.error();
  if (!document->is_object() || document->value("cstl", "") != "master-secret/1") {
    return fail(Code::workspace, "owner.kind");
  }
  TRY_LET(Secret<32> key, take_secret(*document, "key"));
  TRY_LET(Secret<32> salt, take_secret(*document, "salt"));
  TRY_LET(Secret<32> scalar, take_secret(*document, "owner_key"));
  TRY_LET(SigningKey signing, SigningKey::from_scalar(scalar));
  problem->clear();
  return Owner{MasterSecret{std::move(key), std::move(salt)}, std::move(signing)};
}

Result<ReferenceValues> load_reference_values(const std::string& workspace, const std::string& path,
                                              std::string* json_text, std::string* problem) {
  std::string chosen = path;
  std::string trust;
  // With a path of its own, a workspace without configuration will do; a bad configuration never does.
  if (chosen.empty() || access(config_path(workspace).c_str(), F_OK) == 0) {
    TRY_LET(Config config, load_config(workspace, problem));
    if (chosen.empty()) chosen = in_workspace(workspace, config.reference_values);
    if (!config.reference_trust.empty()) trust = in_workspace(workspace, config.reference_trust);
  }
  TRY_LET(*json_text, read_text(chosen, kMaxReferenceValues, problem));
  if (!trust.empty()) return open_and_remember(workspace, chosen, trust, *json_text, problem);
  auto values = ReferenceValues::parse(*json_text, unix_now(), problem);
  if (!values.ok()) *problem = chosen + ": " + *problem;
  return values;
}

}  // namespace cstl::cli
