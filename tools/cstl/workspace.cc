#include "tools/cstl/workspace.h"

#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/json.h"
#include "svc/wire/join.h"
#include "tools/cstl/yaml.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr size_t kMaxSecretFile = 4096;
constexpr size_t kMaxNodes = 1024;

// Takes the fields of one object, one by one, and complains about what is left.
class Fields {
 public:
  Fields(const json& object, std::string place, std::string* problem)
      : object_(object), place_(std::move(place)), problem_(problem) {
    if (!object_.is_object()) complain("", "must be a mapping");
  }
  std::string text(const char* name, bool required, size_t max = 256) {
    const json* value = take(name, required);
    if (value == nullptr) return "";
    if (!value->is_string() || value->get_ref<const std::string&>().size() > max) {
      complain(name, "must be a text of at most " + std::to_string(max) + " bytes");
      return "";
    }
    return value->get<std::string>();
  }
  int64_t number(const char* name, int64_t otherwise, int64_t low, int64_t high) {
    const json* value = take(name, false);
    if (value == nullptr) return otherwise;
    if (!value->is_number_integer() || value->get<int64_t>() < low || value->get<int64_t>() > high) {
      complain(name, "must be a number from " + std::to_string(low) + " to " + std::to_string(high));
      return otherwise;
    }
    return value->get<int64_t>();
  }
  void hex(const char* name, MutBytes out) {
    if (!from_hex(text(name, true, 1024), out).ok()) complain(name, "must be hexadecimal of the right length");
  }
  const json* take(const char* name, bool required) {
    taken_.emplace_back(name);
    if (!object_.is_object() || !object_.contains(name)) {
      if (required) complain(name, "is missing");
      return nullptr;
    }
    return &object_[name];
  }
  void complain(const char* name, const std::string& why) {
    if (problem_->empty()) *problem_ = place_ + name + " " + why;
  }
  // Call last. Errors: config_malformed when anything was wrong or is left.
  Status finish() {
    if (object_.is_object()) {
      for (const auto& [key, value] : object_.items()) {
        bool expected = false;
        for (const std::string& name : taken_) expected = expected || name == key;
        if (!expected) complain(key.c_str(), "is not a known field");
      }
    }
    if (!problem_->empty()) return fail(Code::config_malformed, "config");
    return success();
  }

 private:
  const json& object_;
  std::string place_;
  std::string* problem_;
  std::vector<std::string> taken_;
};

void expect_kind(Fields& fields, const char* kind) {
  if (fields.text("cstl", true) != kind) fields.complain("cstl", std::string("must be ") + kind);
}

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

Result<Config> parse_config(std::string_view text, std::string* problem) {
  problem->clear();
  TRY_LET(json document, parse_yaml(text, problem));
  Config out;
  Fields fields(document, "", problem);
  expect_kind(fields, "config/1");
  out.name = fields.text("name", true);
  if (!valid_node_name(out.name)) fields.complain("name", "must be lower-case letters, digits and dashes");
  auto variant = variant_from_name(fields.text("variant", true));
  if (!variant.ok() || !variant_implemented(*variant)) {
    fields.complain("variant", "is not one that this build can verify");
  } else {
    out.variant = *variant;
  }
  out.reference_values = fields.text("reference_values", true, 4096);
  out.init_endpoint = fields.text("init_endpoint", false);
  out.init_secret_file = fields.text("init_secret_file", false, 4096);
  if (const json* mini = fields.take("mini", false)) {
    Fields sub(*mini, "mini.", problem);
    // A joining control plane would need the master secret, which the keyservice gives to nobody, and shared records.
    out.mini.control_planes = static_cast<int>(sub.number("control_planes", 1, 1, 1));
    out.mini.workers = static_cast<int>(sub.number("workers", 1, 0, 32));
    out.mini.memory_mib = static_cast<int>(sub.number("memory_mib", 512, 256, 65536));
    out.mini.disk_gib = sub.number("disk_gib", 4, 1, 16384);
    out.mini.image = sub.text("image", true, 4096);
    out.mini.firmware_code = sub.text("firmware_code", true, 4096);
    out.mini.firmware_vars = sub.text("firmware_vars", true, 4096);
    TRY(sub.finish());
  }
  TRY(fields.finish());
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
  ClusterState out;
  Fields fields(document, "", problem);
  expect_kind(fields, "state/1");
  fields.hex("cluster_id", out.cluster_id);
  fields.hex("measurement_salt", out.measurement_salt);
  fields.hex("owner_key", out.owner_key);
  const json* nodes = fields.take("nodes", true);
  if (nodes != nullptr && (!nodes->is_array() || nodes->size() > kMaxNodes)) fields.complain("nodes", "must be a list");
  TRY(fields.finish());
  for (const json& element : *nodes) {
    Fields sub(element, "nodes.", problem);
    NodeFacts node;
    node.name = sub.text("name", true);
    auto role = role_from_name(sub.text("role", true));
    if (!role.ok()) sub.complain("role", "is not a role");
    if (role.ok()) node.role = *role;
    node.verify = sub.text("verify", false);
    node.recover = sub.text("recover", false);
    TRY(sub.finish());
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
    nodes.push_back({{"name", node.name}, {"role", role_name(node.role)}, {"verify", node.verify},
                     {"recover", node.recover}});
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
