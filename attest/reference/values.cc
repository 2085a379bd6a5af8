#include "attest/reference/values.h"

#include "crypto/base/base64.h"
#include "crypto/base/json.h"
#include "crypto/base/utc.h"
#include "crypto/x509.h"

namespace cstl {

namespace {
using Json = nlohmann::json;

// Collects where a text is wrong, for the person who has to correct it.
class Place {
 public:
  Place(std::string* problem, std::string path) : problem_(problem), path_(std::move(path)) {}
  Place at(std::string_view key) const { return Place(problem_, path_.empty() ? std::string(key) : path_ + "." + std::string(key)); }
  Place at(size_t index) const { return Place(problem_, path_ + "[" + std::to_string(index) + "]"); }
  Error refuse(std::string_view what, Code code = Code::reference_malformed, const char* site = "reference") const {
    if (problem_ != nullptr) *problem_ = (path_.empty() ? std::string() : path_ + ": ") + std::string(what);
    return fail(code, site);
  }

 private:
  std::string* problem_;
  std::string path_;
};

bool plain_text(std::string_view text, size_t max) {
  if (text.size() > max) return false;
  for (char c : text) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

// Unknown members are refused; `needed` members must be there.
Status check_members(const Json& object, std::initializer_list<std::string_view> needed,
                     std::initializer_list<std::string_view> optional, const Place& place) {
  if (!object.is_object()) return place.refuse("must be an object");
  for (const auto& member : object.items()) {
    bool known = false;
    for (std::string_view name : needed) known = known || member.key() == name;
    for (std::string_view name : optional) known = known || member.key() == name;
    if (!known) return place.at(plain_text(member.key(), kMaxComponent) ? member.key() : "?").refuse("unknown field");
  }
  for (std::string_view name : needed) {
    if (!object.contains(name)) return place.at(name).refuse("is missing");
  }
  return success();
}

Result<std::string> text_of(const Json& value, const Place& place) {
  if (!value.is_string()) return place.refuse("must be a string");
  return value.get_ref<const std::string&>();
}

Result<Digest32> digest_of(const Json& value, const Place& place) {
  TRY_LET(std::string text, text_of(value, place));
  Digest32 digest{};
  if (!from_hex(text, digest).ok()) return place.refuse("must be 64 hexadecimal digits");
  return digest;
}

Result<std::string> component_of(const Json& value, const Place& place) {
  TRY_LET(std::string text, text_of(value, place));
  if (!plain_text(text, kMaxComponent)) return place.refuse("must be at most 64 printable ASCII characters");
  return text;
}

Result<std::vector<Digest32>> digests_of(const Json& value, size_t max, const Place& place) {
  if (!value.is_array()) return place.refuse("must be a list");
  if (value.size() > max) return place.refuse("has too many entries");
  std::vector<Digest32> out;
  for (size_t i = 0; i < value.size(); ++i) {
    TRY_LET(Digest32 digest, digest_of(value[i], place.at(i)));
    for (const Digest32& other : out) {
      if (other == digest) return place.at(i).refuse("is there twice");
    }
    out.push_back(digest);
  }
  return out;
}

Result<std::vector<std::vector<uint8_t>>> roots_of(const Json& value, const Place& place) {
  if (!value.is_array()) return place.refuse("must be a list");
  if (value.size() > kMaxEkRoots) return place.refuse("has too many entries");
  std::vector<std::vector<uint8_t>> out;
  for (size_t i = 0; i < value.size(); ++i) {
    TRY_LET(std::string text, text_of(value[i], place.at(i)));
    Result<std::vector<uint8_t>> der = from_base64(text, kMaxCertificate);
    if (!der.ok() || !certificate_spki_hash(*der).ok()) return place.at(i).refuse("must be a certificate: base64 of its DER");
    for (const std::vector<uint8_t>& other : out) {
      if (other == *der) return place.at(i).refuse("is there twice");
    }
    out.push_back(std::move(*der));
  }
  return out;
}

// RFC 3339 in exactly this form, UTC: 2026-01-01T00:00:00Z.
Result<int64_t> time_of(const Json& value, const Place& place) {
  TRY_LET(std::string text, text_of(value, place));
  auto seconds = parse_utc(text);
  if (!seconds.ok()) return place.refuse("must be a time like 2026-01-01T00:00:00Z");
  return *seconds;
}

Result<PcrReference> pcr_of(const std::string& key, const Json& value, const Place& place) {
  PcrReference pcr;
  bool number = !key.empty() && key.size() <= 2 && (key.size() == 1 || key[0] != '0');
  unsigned index = 0;
  for (char c : key) {
    number = number && c >= '0' && c <= '9';
    if (number) index = index * 10 + static_cast<unsigned>(c - '0');
  }
  if (!number || index >= kPcrCount) return place.refuse("must be a PCR from 0 to 23");
  if (index == kClusterPcr) return place.refuse("PCR 15 is the cluster's and cannot be set here");
  pcr.index = static_cast<uint8_t>(index);

  TRY(check_members(value, {"expected", "enforce"}, {"component", "events"}, place));
  TRY_LET(pcr.expected, digests_of(value["expected"], kMaxExpectedDigests, place.at("expected")));
  if (pcr.expected.empty()) return place.at("expected").refuse("must not be empty", Code::reference_empty);
  if (!value["enforce"].is_boolean()) return place.at("enforce").refuse("must be true or false");
  pcr.enforce = value["enforce"].get<bool>();
  if (value.contains("component")) {
    TRY_LET(pcr.component, component_of(value["component"], place.at("component")));
  }
  if (!value.contains("events")) return pcr;
  const Json& events = value["events"];
  Place list = place.at("events");
  if (!events.is_array()) return list.refuse("must be a list");
  if (events.size() > kMaxReferenceEvents) return list.refuse("has too many entries");
  for (size_t i = 0; i < events.size(); ++i) {
    ReferenceEvent event;
    TRY(check_members(events[i], {"digest", "component"}, {}, list.at(i)));
    TRY_LET(event.digest, digest_of(events[i]["digest"], list.at(i).at("digest")));
    TRY_LET(event.component, component_of(events[i]["component"], list.at(i).at("component")));
    pcr.events.push_back(std::move(event));
  }
  return pcr;
}

bool id_ok(std::string_view id) {
  if (id.empty() || id.size() > 64) return false;
  for (char c : id) {
    bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!good) return false;
  }
  return true;
}

Result<ReferenceSet> set_of(const Json& value, const Place& place) {
  ReferenceSet set;
  TRY(check_members(value, {"id", "variant", "not_before", "not_after", "roles", "pcrs"},
                    {"ek_roots", "allow_unendorsed_ak"}, place));
  TRY_LET(set.id, text_of(value["id"], place.at("id")));
  if (!id_ok(set.id)) return place.at("id").refuse("must be 1 to 64 characters of a-z 0-9 . _ -");
  TRY_LET(std::string variant, text_of(value["variant"], place.at("variant")));
  Result<Variant> known = variant_from_name(variant);
  if (!known.ok() || !variant_implemented(*known)) {
    return place.at("variant").refuse("this build cannot verify it", Code::variant_unknown);
  }
  set.variant = *known;
  TRY_LET(set.not_before, time_of(value["not_before"], place.at("not_before")));
  TRY_LET(set.not_after, time_of(value["not_after"], place.at("not_after")));
  if (set.not_before >= set.not_after) return place.at("not_after").refuse("must be later than not_before");

  const Json& roles = value["roles"];
  if (!roles.is_array() || roles.empty()) return place.at("roles").refuse("must be a list of roles");
  for (size_t i = 0; i < roles.size(); ++i) {
    TRY_LET(std::string name, text_of(roles[i], place.at("roles").at(i)));
    Result<Role> role = role_from_name(name);
    if (!role.ok()) return place.at("roles").at(i).refuse("must be control-plane or worker");
    if (set.admits(*role)) return place.at("roles").at(i).refuse("is there twice");
    set.roles = static_cast<uint8_t>(set.roles | 1u << static_cast<unsigned>(*role));
  }

  if (!value["pcrs"].is_object()) return place.at("pcrs").refuse("must be an object");
  bool enforced = false;
  for (const auto& member : value["pcrs"].items()) {
    Place where = place.at("pcrs").at(plain_text(member.key(), 8) ? member.key() : "?");
    TRY_LET(PcrReference pcr, pcr_of(member.key(), member.value(), where));
    enforced = enforced || pcr.enforce;
    size_t at = 0;
    while (at < set.pcrs.size() && set.pcrs[at].index < pcr.index) ++at;
    set.pcrs.insert(set.pcrs.begin() + static_cast<std::ptrdiff_t>(at), std::move(pcr));
  }
  if (!enforced) return place.at("pcrs").refuse("enforces nothing", Code::reference_empty);

  if (value.contains("ek_roots")) {
    TRY_LET(set.ek_roots, roots_of(value["ek_roots"], place.at("ek_roots")));
  }
  if (value.contains("allow_unendorsed_ak")) {
    if (!value["allow_unendorsed_ak"].is_boolean()) return place.at("allow_unendorsed_ak").refuse("must be true or false");
    set.allow_unendorsed_ak = value["allow_unendorsed_ak"].get<bool>();
  }
  if (set.variant == Variant::tpm && set.allow_unendorsed_ak) {
    return place.at("allow_unendorsed_ak").refuse("the tpm variant always needs an endorsement");
  }
  if (set.ek_roots.empty() && !set.allow_unendorsed_ak) {
    return place.at("ek_roots").refuse("pin a root, or allow an unendorsed AK: no machine could pass");
  }
  return set;
}
}  // namespace

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
  TRY(check_members(root, {"cstl", "sets"}, {}, top));
  if (root["cstl"] != "reference-values/1") return top.at("cstl").refuse("must be \"reference-values/1\"");
  const Json& sets = root["sets"];
  if (!sets.is_array()) return top.at("sets").refuse("must be a list");
  if (sets.empty()) return top.at("sets").refuse("must not be empty", Code::reference_empty);
  if (sets.size() > kMaxReferenceSets) return top.at("sets").refuse("has too many entries");

  ReferenceValues values;
  for (size_t i = 0; i < sets.size(); ++i) {
    TRY_LET(ReferenceSet set, set_of(sets[i], top.at("sets").at(i)));
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
  for (const ReferenceSet& set : sets) {
    Json roles = Json::array();
    for (Role role : {Role::control_plane, Role::worker}) {
      if (set.admits(role)) roles.push_back(role_name(role));
    }
    Json pcrs = Json::object();
    for (const PcrReference& pcr : set.pcrs) {
      Json entry = {{"enforce", pcr.enforce}, {"expected", Json::array()}};
      for (const Digest32& digest : pcr.expected) entry["expected"].push_back(to_hex(digest));
      if (!pcr.component.empty()) entry["component"] = pcr.component;
      for (const ReferenceEvent& event : pcr.events) {
        entry["events"].push_back({{"component", event.component}, {"digest", to_hex(event.digest)}});
      }
      pcrs[std::to_string(pcr.index)] = std::move(entry);
    }
    Json roots = Json::array();
    for (const std::vector<uint8_t>& root : set.ek_roots) roots.push_back(to_base64(root));
    list.push_back({{"id", set.id},
                    {"variant", variant_name(set.variant)},
                    {"not_before", utc_text(set.not_before)},
                    {"not_after", utc_text(set.not_after)},
                    {"roles", std::move(roles)},
                    {"pcrs", std::move(pcrs)},
                    {"ek_roots", std::move(roots)},
                    {"allow_unendorsed_ak", set.allow_unendorsed_ak}});
  }
  Json root = {{"cstl", "reference-values/1"}, {"sets", std::move(list)}};
  return root.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

VariantSet ReferenceValues::variants() const {
  VariantSet out = 0;
  for (const ReferenceSet& set : sets) out |= variant_bit(set.variant);
  return out;
}

}  // namespace cstl
