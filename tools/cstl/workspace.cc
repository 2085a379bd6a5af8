#include "tools/cstl/workspace.h"

#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/json_object.h"
#include "svc/wire/join.h"
#include "tools/cstl/yaml.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr size_t kMaxSecretFile = 4096;
constexpr size_t kMaxNodes = 1024;
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxEndpoint = 256;

std::string state_path(const std::string& workspace) { return workspace + "/cstl-state.yaml"; }
std::string owner_path(const std::string& workspace) { return workspace + "/cstl-mastersecret.json"; }

Result<std::string> read_text(const std::string& path, size_t max, std::string* problem) {
  auto data = read_file(path.c_str(), max);
  if (!data.ok()) {
    *problem = path;
    return fail(Code::workspace, "workspace.read", data.error().origin, data.error().foreign);
  }
  return std::string(Bytes(*data).text());
}
}  // namespace

std::string in_workspace(const std::string& workspace, const std::string& path) {
  return !path.empty() && path[0] == '/' ? path : workspace + "/" + path;
}

int64_t unix_now() { return static_cast<int64_t>(std::time(nullptr)); }

std::string config_path(const std::string& workspace) { return workspace + "/cstl-conf.yaml"; }

std::string config_template(const std::string& name) {
  return "cstl: config/1\n"
         "name: " + name + "              # of the cluster: lower-case letters, digits, dashes\n"
         "variant: qemu-vtpm         # how machines attest; see docs/attestation.md\n"
         "reference_values: reference-values.json   # what machines are compared with: cstl measure makes it\n"
         "\n"
         "# The init server of the first control plane, for clusters that mini does not run:\n"
         "# init_endpoint: 192.0.2.10:9000\n"
         "# init_secret_file: init-secret   # 64 hexadecimal digits; their SHA-256 stands in the machine's metadata\n"
         "\n"
         "# Local virtual machines: cstl mini up\n"
         "mini:\n"
         "  control_planes: 1         # one: records are not replicated between control planes\n"
         "  workers: 1\n"
         "  memory_mib: 512\n"
         "  disk_gib: 4               # of each state disk; sparse\n"
         "  image: cstl.efi           # the unified kernel image that make image builds\n"
         "  firmware_code: OVMF_CODE.fd\n"
         "  firmware_vars: OVMF_VARS.fd\n";
}

namespace {
// A text that may be left out.
Result<std::string> optional_text(const JsonObject& object, const char* name, size_t max) {
  if (!object.has(name)) return std::string();
  TRY_LET(std::string_view text, object.text(name, max));
  return std::string(text);
}

Status parse_mini(const json& value, Config::Mini* out, std::string* problem) {
  JsonObject mini(value, Code::config_malformed, "mini.", problem);
  TRY(mini.members({"control_planes", "workers", "memory_mib", "disk_gib", "image", "firmware_code", "firmware_vars"}));
  // A joining control plane would need the master secret, which the keyservice gives to nobody, and shared records.
  TRY(mini.number("control_planes", 1, 1, 1));
  TRY_LET(int64_t workers, mini.number("workers", 1, 0, 32));
  TRY_LET(int64_t memory, mini.number("memory_mib", 512, 256, 65536));
  TRY_LET(out->disk_gib, mini.number("disk_gib", 4, 1, 16384));
  TRY_LET(out->image, mini.text("image", kMaxPath));
  TRY_LET(out->firmware_code, mini.text("firmware_code", kMaxPath));
  TRY_LET(out->firmware_vars, mini.text("firmware_vars", kMaxPath));
  out->workers = static_cast<int>(workers);
  out->memory_mib = static_cast<int>(memory);
  return success();
}
}  // namespace

Result<Config> parse_config(std::string_view text, std::string* problem) {
  problem->clear();
  TRY_LET(json document, parse_yaml(text, problem));
  JsonObject root(document, Code::config_malformed, "", problem);
  TRY(root.members({"cstl", "name", "variant", "reference_values", "init_endpoint", "init_secret_file", "mini"}));
  TRY(root.literal("cstl", "config/1"));
  Config out;
  TRY_LET(out.name, root.text("name", kMaxNodeName));
  if (!valid_node_name(out.name)) return root.wrong("name", "must be lower-case letters, digits and dashes");
  TRY_LET(std::string_view variant_text, root.text("variant", 32));
  auto variant = variant_from_name(variant_text);
  if (!variant.ok() || !variant_implemented(*variant)) return root.wrong("variant", "is not one that this build verifies");
  out.variant = *variant;
  TRY_LET(out.reference_values, root.text("reference_values", kMaxPath));
  TRY_LET(out.init_endpoint, optional_text(root, "init_endpoint", kMaxEndpoint));
  TRY_LET(out.init_secret_file, optional_text(root, "init_secret_file", kMaxPath));
  if (root.has("mini")) TRY(parse_mini(document["mini"], &out.mini, problem));
  return out;
}

Result<Config> load_config(const std::string& workspace, std::string* problem) {
  TRY_LET(std::string text, read_text(config_path(workspace), kMaxYaml, problem));
  auto out = parse_config(text, problem);
  if (!out.ok()) *problem = config_path(workspace) + ": " + *problem;
  return out;
}

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
    TRY_LET(node.verify, optional_text(entry, "verify", kMaxEndpoint));
    TRY_LET(node.recover, optional_text(entry, "recover", kMaxEndpoint));
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
  if (chosen.empty()) {
    TRY_LET(Config config, load_config(workspace, problem));
    chosen = in_workspace(workspace, config.reference_values);
  }
  TRY_LET(*json_text, read_text(chosen, kMaxReferenceValues, problem));
  auto values = ReferenceValues::parse(*json_text, unix_now(), problem);
  if (!values.ok()) *problem = chosen + ": " + *problem;
  return values;
}

}  // namespace cstl::cli
