#include "attest/reference/values.h"

#include "attest/reference/set.h"
#include "crypto/base/utc.h"

namespace cstl {

using reference::check_members;
using reference::Json;
using reference::Place;

namespace {
bool name_ok(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string_view::npos;
}

// What signed documents say about themselves.
Status take_heading(const Json& root, const Place& top, ReferenceValues* out) {
  constexpr int64_t kMaxVersion = (int64_t{1} << 53) - 1;  // what every JSON reader keeps whole
  if (root.contains("name")) {
    TRY_LET(out->name, reference::text_of(root["name"], top.at("name")));
    if (!name_ok(out->name)) return top.at("name").refuse("must be 1 to 64 characters of a-z 0-9 . _ -");
  }
  if (root.contains("version")) {
    const Json& version = root["version"];
    if (!version.is_number_unsigned() || version.get<uint64_t>() == 0 || version.get<uint64_t>() > kMaxVersion) {
      return top.at("version").refuse("must be a number from 1 to 9007199254740991");
    }
    out->version = version.get<int64_t>();
  }
  if (root.contains("expires")) {
    TRY_LET(std::string text, reference::text_of(root["expires"], top.at("expires")));
    Result<int64_t> expires = parse_utc(text);
    if (!expires.ok() || *expires == 0) return top.at("expires").refuse("must be a time like 2026-01-01T00:00:00Z");
    out->expires = *expires;
  }
  return success();
}
}  // namespace

AkRoot ak_root_of(Variant variant) {
  switch (variant) {
    case Variant::qemu_vtpm:
    case Variant::openstack_qemu_vtpm:
    case Variant::tpm: return AkRoot::ek;
    case Variant::azure_trustedlaunch:
    case Variant::gcp_sev_es:
    case Variant::gcp_sev_snp: return AkRoot::certificate;
    case Variant::azure_sev_snp:
    case Variant::azure_tdx: return AkRoot::report;
    case Variant::aws_nitro_tpm:
    case Variant::aws_sev_snp: return AkRoot::document;
    case Variant::qemu_tdx:
    case Variant::sev_snp:
    case Variant::tdx: break;
  }
  return AkRoot::none;
}

bool may_be_unendorsed(Variant variant) {
  return variant == Variant::qemu_vtpm || variant == Variant::openstack_qemu_vtpm || variant == Variant::aws_nitro_tpm ||
         variant == Variant::aws_sev_snp;
}

const char* role_name(Role role) { return role == Role::control_plane ? "control-plane" : "worker"; }

Result<Role> role_from_name(std::string_view name) {
  if (name == "control-plane") return Role::control_plane;
  if (name == "worker") return Role::worker;
  return fail(Code::bad_value, "role.name");
}

Result<Role> role_from_number(uint8_t number) {
  if (number == 1) return Role::control_plane;
  if (number == 2) return Role::worker;
  return fail(Code::bad_value, "role.number");
}

Result<ReferenceValues> ReferenceValues::parse(std::string_view json, int64_t now, std::string* problem) {
  Place top(problem, "");
  Result<Json> parsed = parse_json(json, kMaxReferenceValues, 10);
  if (!parsed.ok()) {
    return top.refuse(parsed.code() == Code::too_long ? "larger than 128 KiB" : "not valid JSON", parsed.code(),
                      parsed.error().site);
  }
  const Json& root = *parsed;
  TRY(check_members(root, {"cstl", "sets"}, {"name", "version", "expires"}, top));
  if (root["cstl"] != "reference-values/1") return top.at("cstl").refuse("must be \"reference-values/1\"");
  const Json& sets = root["sets"];
  if (!sets.is_array()) return top.at("sets").refuse("must be a list");
  if (sets.empty()) return top.at("sets").refuse("must not be empty", Code::reference_empty);
  if (sets.size() > kMaxReferenceSets) return top.at("sets").refuse("has too many entries");

  ReferenceValues values;
  TRY(take_heading(root, top, &values));
  if (values.expired(now)) {
    return top.at("expires").refuse("the document has expired", Code::reference_expired);
  }
  for (size_t i = 0; i < sets.size(); ++i) {
    TRY_LET(ReferenceSet set, reference::read_set(sets[i], top.at("sets").at(i)));
    for (const ReferenceSet& other : values.sets) {
      if (other.id == set.id) return top.at("sets").at(i).at("id").refuse("is there twice");
    }
    values.sets.push_back(std::move(set));
  }
  for (size_t i = 0; i < values.sets.size(); ++i) {
    bool open = false;
    for (const ReferenceSet& set : values.sets) {
      if (set.variant == values.sets[i].variant) open = open || (set.not_before <= now && now < set.not_after);
    }
    if (!open) {
      return top.at("sets").at(i).refuse("every set of this variant is outside its validity window",
                                         Code::reference_expired);
    }
  }
  return values;
}

std::string ReferenceValues::to_json() const {
  Json list = Json::array();
  for (const ReferenceSet& set : sets) list.push_back(reference::write_set(set));
  Json root = {{"cstl", "reference-values/1"}, {"sets", std::move(list)}};
  if (!name.empty()) root["name"] = name;
  if (version != 0) root["version"] = version;
  if (expires != 0) root["expires"] = utc_text(expires);
  return root.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

VariantSet ReferenceValues::variants() const {
  VariantSet out = 0;
  for (const ReferenceSet& set : sets) out |= variant_bit(set.variant);
  return out;
}

}  // namespace cstl
