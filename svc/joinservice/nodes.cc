#include "svc/joinservice/nodes.h"

#include "crypto/base/json.h"

namespace cstl {

namespace {
constexpr const char* kFormat = "node/1";
constexpr size_t kFields = 7;

Result<std::string> text_of(const nlohmann::json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return fail(Code::record_malformed, key);
  return found->get_ref<const std::string&>();
}
}  // namespace

bool valid_set_id(std::string_view id) {
  if (id.empty() || id.size() > kMaxSetId) return false;
  return id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string_view::npos;
}

Result<NodeRecord> NodeRecord::parse(std::string_view json) {
  TRY_LET(nlohmann::json object, parse_json(json, kMaxNodeRecord, 4));
  if (!object.is_object() || object.size() != kFields) return fail(Code::record_malformed, "record.fields");
  TRY_LET(std::string format, text_of(object, "cstl"));
  if (format != kFormat) return fail(Code::record_malformed, "record.format");
  NodeRecord out;
  TRY_LET(std::string disk, text_of(object, "disk"));
  auto uuid = parse_uuid(disk);
  if (!uuid.ok()) return fail(Code::record_malformed, "record.disk");
  out.disk = *uuid;
  TRY_LET(std::string identity, text_of(object, "identity"));
  if (!from_hex(identity, out.identity).ok()) return fail(Code::record_malformed, "record.identity");
  TRY_LET(std::string role, text_of(object, "role"));
  auto known = role_from_name(role);
  if (!known.ok()) return fail(Code::record_malformed, "record.role");
  out.role = *known;
  TRY_LET(out.name, text_of(object, "name"));
  if (!valid_node_name(out.name)) return fail(Code::record_malformed, "record.name");
  TRY_LET(out.reference_set, text_of(object, "reference_set"));
  if (!valid_set_id(out.reference_set)) return fail(Code::record_malformed, "record.reference_set");
  auto first = object.find("first_joined");
  if (first == object.end() || !first->is_number_unsigned()) return fail(Code::record_malformed, "record.first_joined");
  uint64_t seconds = first->get<uint64_t>();
  if (seconds > INT64_MAX) return fail(Code::record_malformed, "record.first_joined");
  out.first_joined = static_cast<int64_t>(seconds);
  return out;
}

std::string NodeRecord::to_json() const {
  nlohmann::json object = {{"cstl", kFormat},
                           {"disk", uuid_text(disk)},
                           {"identity", to_hex(identity)},
                           {"role", role_name(role)},
                           {"name", name},
                           {"reference_set", reference_set},
                           {"first_joined", static_cast<uint64_t>(first_joined)}};
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

const NodeRecord* Nodes::find(const Uuid& disk) const {
  const NodeRecord* only = nullptr;
  for (const auto& [key, entry] : entries_) {
    if (entry.disk != disk) continue;
    if (!entry.record || only != nullptr) return nullptr;
    only = &*entry.record;
  }
  return only;
}

bool Nodes::damaged(const Uuid& disk) const {
  size_t claims = 0;
  for (const auto& [key, entry] : entries_) {
    if (entry.disk != disk) continue;
    if (!entry.record || ++claims > 1) return true;
  }
  return false;
}

const NodeRecord* Nodes::find_identity(const PlatformIdentity& identity) const {
  for (const auto& [key, entry] : entries_) {
    if (entry.record && entry.record->identity == identity) return &*entry.record;
  }
  return nullptr;
}

const NodeRecord* Nodes::find_name(std::string_view name) const {
  auto found = entries_.find(name);   // Kubernetes: the key is the name
  if (found != entries_.end()) return found->second.record ? &*found->second.record : nullptr;
  return nullptr;
}

bool Nodes::damaged_name(std::string_view name) const {
  auto found = entries_.find(name);
  return found != entries_.end() && !found->second.record;
}

const NodeRecord* Nodes::find_address(std::string_view address) const {
  if (address.empty()) return nullptr;
  for (const auto& [key, entry] : entries_) {
    if (entry.record && entry.record->address == address) return &*entry.record;
  }
  return nullptr;
}

const NodeRecord* Nodes::find_wireguard(const WireguardKey& wanted) const {
  if (wanted == WireguardKey{}) return nullptr;
  for (const auto& [key, entry] : entries_) {
    if (entry.record && entry.record->wireguard_key == wanted) return &*entry.record;
  }
  return nullptr;
}

Nodes::Claims Nodes::claimed_by_others(const std::string& key, const NodeRecord& record) const {
  Claims out;
  for (const auto& [other, entry] : entries_) {
    if (other == key) continue;
    if (entry.disk == record.disk) out.disk = true;
    if (!entry.record) continue;
    if (entry.record->identity == record.identity) out.identity = true;
    if (!record.address.empty() && entry.record->address == record.address) out.address = true;
    if (record.wireguard_key != WireguardKey{} && entry.record->wireguard_key == record.wireguard_key) out.wireguard = true;
  }
  return out;
}

void Nodes::put(const std::string& key, NodeRecord record) {
  Entry& entry = entries_[key];
  entry.disk = record.disk;
  entry.record = std::move(record);
}

void Nodes::put_damaged(const std::string& key, std::optional<Uuid> disk) {
  Entry& entry = entries_[key];
  entry.disk = disk;
  entry.record.reset();
}

}  // namespace cstl
