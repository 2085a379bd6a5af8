#include "svc/joinservice/node_object.h"

#include "crypto/base/base64.h"
#include "crypto/base/utc.h"
#include "svc/joinservice/facts.h"

namespace cstl {

namespace {
using Json = nlohmann::json;
constexpr const char* kDiskLabel = "cstl.dev/disk";

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

Result<std::string> text(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr || !value->is_string()) return fail(Code::record_malformed, name);
  return value->get_ref<const std::string&>();
}
}  // namespace

std::string object_meta(const Json& object, const char* name) {
  const Json* metadata = member(object, "metadata");
  if (metadata == nullptr) return "";
  auto value = text(*metadata, name);
  return value.ok() ? *value : "";
}

std::string object_name(const Json& object) {
  std::string name = object_meta(object, "name");
  return valid_node_name(name) ? name : "";
}

Result<NodeRecord> record_of_object(const Json& object) {
  NodeRecord out;
  out.name = object_name(object);
  if (out.name.empty()) return fail(Code::record_malformed, "name");
  const Json* spec = member(object, "spec");
  if (spec == nullptr) return fail(Code::record_malformed, "spec");
  TRY_LET(std::string disk, text(*spec, "disk"));
  auto uuid = parse_uuid(disk);
  if (!uuid.ok()) return fail(Code::record_malformed, "disk");
  out.disk = *uuid;
  TRY_LET(std::string identity, text(*spec, "identity"));
  if (!from_hex(identity, out.identity).ok()) return fail(Code::record_malformed, "identity");
  TRY_LET(std::string role, text(*spec, "role"));
  auto known = role_from_name(role);
  if (!known.ok()) return fail(Code::record_malformed, "role");
  out.role = *known;
  TRY_LET(out.reference_set, text(*spec, "referenceSet"));
  if (!valid_set_id(out.reference_set)) return fail(Code::record_malformed, "referenceSet");
  TRY_LET(std::string variant, text(*spec, "variant"));
  auto kind = variant_from_name(variant);
  if (!kind.ok()) return fail(Code::record_malformed, "variant");
  out.variant = *kind;
  TRY_LET(out.address, text(*spec, "address"));
  if (!parse_node_address(out.address).ok()) return fail(Code::record_malformed, "address");
  if (member(*spec, "wireguardPublicKey") != nullptr) {
    TRY_LET(std::string key, text(*spec, "wireguardPublicKey"));
    if (!key.empty()) {
      auto bytes = from_base64(key, out.wireguard_key.size());
      if (!bytes.ok() || bytes->size() != out.wireguard_key.size()) return fail(Code::record_malformed, "wireguardPublicKey");
      std::copy(bytes->begin(), bytes->end(), out.wireguard_key.begin());
    }
  }
  TRY_LET(std::string first, text(*spec, "firstJoined"));
  auto seconds = parse_utc(first);
  if (!seconds.ok()) return fail(Code::record_malformed, "firstJoined");
  out.first_joined = *seconds;
  return out;
}

std::optional<Uuid> disk_of_object(const Json& object) {
  if (const Json* spec = member(object, "spec")) {
    if (auto disk = text(*spec, "disk"); disk.ok()) {
      if (auto uuid = parse_uuid(*disk); uuid.ok()) return *uuid;
    }
  }
  const Json* metadata = member(object, "metadata");
  const Json* labels = metadata == nullptr ? nullptr : member(*metadata, "labels");
  if (labels == nullptr) return std::nullopt;
  auto label = text(*labels, kDiskLabel);
  if (!label.ok()) return std::nullopt;
  auto uuid = parse_uuid(*label);
  return uuid.ok() ? std::optional<Uuid>(*uuid) : std::nullopt;
}

Json object_of_record(const NodeRecord& record, const std::string& resource_version) {
  Json spec = {{"disk", uuid_text(record.disk)},
               {"identity", to_hex(record.identity)},
               {"role", role_name(record.role)},
               {"referenceSet", record.reference_set},
               {"variant", variant_name(record.variant)},
               {"address", record.address},
               {"firstJoined", utc_text(record.first_joined)}};
  if (record.wireguard_key != WireguardKey{}) spec["wireguardPublicKey"] = to_base64(record.wireguard_key);
  Json metadata = {{"name", record.name}, {"labels", {{kDiskLabel, uuid_text(record.disk)}}}};
  if (!resource_version.empty()) metadata["resourceVersion"] = resource_version;
  return {{"apiVersion", "cstl.dev/v1alpha1"}, {"kind", "CstlNode"}, {"metadata", metadata}, {"spec", spec}};
}

Json attestation_patch(int64_t now) { return {{"status", {{"lastAttestation", utc_text(now)}}}}; }

}  // namespace cstl
