// One set of reference values, read and written.
#include "attest/reference/set.h"

#include "crypto/base/base64.h"
#include "crypto/base/utc.h"
#include "crypto/x509.h"

namespace cstl::reference {

namespace {
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

Result<uint8_t> pcr_index_of(const std::string& key, const Place& place) {
  bool number = !key.empty() && key.size() <= 2 && (key.size() == 1 || key[0] != '0');
  unsigned index = 0;
  for (char c : key) {
    number = number && c >= '0' && c <= '9';
    if (number) index = index * 10 + static_cast<unsigned>(c - '0');
  }
  if (!number || index >= kPcrCount) return place.refuse("must be a PCR from 0 to 23");
  if (index == kClusterPcr) return place.refuse("PCR 15 is the cluster's and cannot be set here");
  return static_cast<uint8_t>(index);
}

Result<PcrReference> pcr_of(const std::string& key, const Json& value, const Place& place) {
  PcrReference pcr;
  TRY_LET(pcr.index, pcr_index_of(key, place));
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

Status read_roles(const Json& roles, const Place& place, ReferenceSet& set) {
  if (!roles.is_array() || roles.empty()) return place.refuse("must be a list of roles");
  for (size_t i = 0; i < roles.size(); ++i) {
    TRY_LET(std::string name, text_of(roles[i], place.at(i)));
    Result<Role> role = role_from_name(name);
    if (!role.ok()) return place.at(i).refuse("must be control-plane or worker");
    if (set.admits(*role)) return place.at(i).refuse("is there twice");
    set.roles = static_cast<uint8_t>(set.roles | 1u << static_cast<unsigned>(*role));
  }
  return success();
}

Status read_pcrs(const Json& pcrs, const Place& place, ReferenceSet& set) {
  if (!pcrs.is_object()) return place.refuse("must be an object");
  bool enforced = false;
  for (const auto& member : pcrs.items()) {
    Place where = place.at(plain_text(member.key(), 8) ? member.key() : "?");
    TRY_LET(PcrReference pcr, pcr_of(member.key(), member.value(), where));
    enforced = enforced || pcr.enforce;
    size_t at = 0;
    while (at < set.pcrs.size() && set.pcrs[at].index < pcr.index) ++at;
    set.pcrs.insert(set.pcrs.begin() + static_cast<std::ptrdiff_t>(at), std::move(pcr));
  }
  if (!enforced) return place.refuse("enforces nothing", Code::reference_empty);
  return success();
}

Status read_nitro_pcrs(const Json& pcrs, const Place& place, ReferenceSet& set) {
  if (!pcrs.is_object()) return place.refuse("must be an object");
  for (const auto& member : pcrs.items()) {
    Place where = place.at(plain_text(member.key(), 8) ? member.key() : "?");
    NitroPcr pcr;
    TRY_LET(pcr.index, pcr_index_of(member.key(), where));
    const Json& list = member.value();
    if (!list.is_array() || list.empty()) return where.refuse("must be a list of digests", Code::reference_empty);
    if (list.size() > kMaxExpectedDigests) return where.refuse("has too many entries");
    for (size_t i = 0; i < list.size(); ++i) {
      TRY_LET(std::string text, text_of(list[i], where.at(i)));
      Digest48 digest{};
      if (!from_hex(text, digest).ok()) return where.at(i).refuse("must be 96 hexadecimal digits");
      pcr.expected.push_back(digest);
    }
    size_t at = 0;
    while (at < set.nitro_pcrs.size() && set.nitro_pcrs[at].index < pcr.index) ++at;
    set.nitro_pcrs.insert(set.nitro_pcrs.begin() + static_cast<std::ptrdiff_t>(at), std::move(pcr));
  }
  return success();
}

Status read_gcp(const Json& value, const Place& place, GcpReference& out) {
  TRY(check_members(value, {}, {"projects", "technologies"}, place));
  if (value.contains("projects")) {
    const Json& list = value["projects"];
    if (!list.is_array() || list.empty()) return place.at("projects").refuse("must be a list of project ids");
    if (list.size() > kMaxProjects) return place.at("projects").refuse("has too many entries");
    for (size_t i = 0; i < list.size(); ++i) {
      TRY_LET(std::string project, text_of(list[i], place.at("projects").at(i)));
      if (project.empty() || !plain_text(project, gcp::kMaxName)) {
        return place.at("projects").at(i).refuse("must be a project id");
      }
      out.projects.push_back(std::move(project));
    }
  }
  if (value.contains("technologies")) {
    const Json& list = value["technologies"];
    if (!list.is_array() || list.empty() || list.size() > 4) return place.at("technologies").refuse("must be a list of 1 to 4");
    for (size_t i = 0; i < list.size(); ++i) {
      TRY_LET(std::string name, text_of(list[i], place.at("technologies").at(i)));
      Result<gcp::Technology> technology = gcp::technology_from_name(name);
      if (!technology.ok() || *technology == gcp::Technology::none) {
        return place.at("technologies").at(i).refuse("must be sev, sev-es, sev-snp or tdx");
      }
      out.technologies.push_back(*technology);
    }
  }
  return success();
}

Status read_snp(const Json& value, const Place& place, ReferenceSet& set) {
  std::string why;
  Result<snp::Reference> reference = snp::Reference::from_json(value, &why);
  if (!reference.ok()) return place.refuse(why.empty() ? "is malformed" : why, reference.code());
  if (!reference->names_software()) {
    return place.refuse("names neither a launch measurement nor who signed the launch", Code::reference_empty);
  }
  set.snp = std::move(*reference);
  return success();
}

Status read_tdx(const Json& value, const Place& place, ReferenceSet& set) {
  std::string why;
  Result<tdx::Reference> reference = tdx::Reference::from_json(value, &why);
  if (!reference.ok()) return place.refuse(why.empty() ? "is malformed" : why, reference.code());
  // Behind a paravisor the RTMRs hold nothing of the guest; the virtual TPM's PCRs do.
  const bool named = has_tpm(set.variant) ? !reference->mr_td.empty() : reference->names_software();
  if (!named) return place.refuse("does not name the software: MRTD, and RTMR1 or RTMR2", Code::reference_empty);
  set.tdx = std::move(*reference);
  return success();
}

bool on_gcp(Variant v) { return v == Variant::gcp_sev_es || v == Variant::gcp_sev_snp; }

// Which members the variant has a use for; any other would look as if it were checked.
Status check_use(const Json& value, Variant variant, const Place& place) {
  const AkRoot root = ak_root_of(variant);
  struct Use {
    const char* member;
    bool used;
  };
  const Use uses[] = {{"pcrs", has_tpm(variant)},
                      {"snp", has_snp(variant)},
                      {"tdx", has_tdx(variant)},
                      {"ek_roots", root == AkRoot::ek},
                      {"ak_roots", root == AkRoot::certificate || root == AkRoot::document},
                      {"nitro_pcrs", root == AkRoot::document},
                      {"gcp", on_gcp(variant)},
                      {"secure_boot", has_tpm(variant) || has_tdx(variant)}};
  for (const Use& use : uses) {
    if (value.contains(use.member) && !use.used) return place.at(use.member).refuse("this variant has no use for it");
  }
  for (const char* needed : {"pcrs", "snp", "tdx"}) {
    for (const Use& use : uses) {
      if (use.used && std::string_view(use.member) == needed && !value.contains(needed)) {
        return place.at(needed).refuse("is missing");
      }
    }
  }
  return success();
}

// Something vouches for the AK, or the set says that nothing need.
Status check_roots(const ReferenceSet& set, const Place& place) {
  const AkRoot root = ak_root_of(set.variant);
  if (set.allow_unendorsed_ak && !may_be_unendorsed(set.variant)) {
    return place.at("allow_unendorsed_ak").refuse("the variant " + std::string(variant_name(set.variant)) +
                                                  " always needs an endorsement");
  }
  if (set.allow_unendorsed_ak) return success();
  if (root == AkRoot::ek && set.ek_roots.empty()) {
    return place.at("ek_roots").refuse("pin a root, or allow an unendorsed AK: no machine could pass");
  }
  if (root == AkRoot::certificate && set.ak_roots.empty()) {
    return place.at("ak_roots").refuse("pin a root: no machine could pass");
  }
  if (root == AkRoot::document && (set.ak_roots.empty() || set.nitro_pcrs.empty())) {
    return place.at(set.ak_roots.empty() ? "ak_roots" : "nitro_pcrs")
        .refuse("pin AWS's root and PCRs of its attestation document, or allow an unendorsed AK");
  }
  return success();
}
}  // namespace

Result<ReferenceSet> read_set(const Json& value, const Place& place) {
  ReferenceSet set;
  TRY(check_members(value, {"id", "variant", "not_before", "not_after", "roles"},
                    {"pcrs", "ek_roots", "ak_roots", "nitro_pcrs", "gcp", "snp", "tdx", "secure_boot",
                     "allow_unendorsed_ak"}, place));
  TRY_LET(set.id, text_of(value["id"], place.at("id")));
  if (!id_ok(set.id)) return place.at("id").refuse("must be 1 to 64 characters of a-z 0-9 . _ -");
  TRY_LET(std::string variant, text_of(value["variant"], place.at("variant")));
  Result<Variant> known = variant_from_name(variant);
  if (!known.ok() || !variant_implemented(*known)) {
    return place.at("variant").refuse("this build cannot verify it", Code::variant_unknown);
  }
  set.variant = *known;
  TRY(check_use(value, set.variant, place));
  TRY_LET(set.not_before, time_of(value["not_before"], place.at("not_before")));
  TRY_LET(set.not_after, time_of(value["not_after"], place.at("not_after")));
  if (set.not_before >= set.not_after) return place.at("not_after").refuse("must be later than not_before");
  TRY(read_roles(value["roles"], place.at("roles"), set));
  if (value.contains("pcrs")) TRY(read_pcrs(value["pcrs"], place.at("pcrs"), set));
  if (value.contains("ek_roots")) {
    TRY_LET(set.ek_roots, roots_of(value["ek_roots"], place.at("ek_roots")));
  }
  if (value.contains("ak_roots")) {
    TRY_LET(set.ak_roots, roots_of(value["ak_roots"], place.at("ak_roots")));
  }
  if (value.contains("nitro_pcrs")) TRY(read_nitro_pcrs(value["nitro_pcrs"], place.at("nitro_pcrs"), set));
  if (value.contains("gcp")) TRY(read_gcp(value["gcp"], place.at("gcp"), set.gcp));
  if (value.contains("snp")) TRY(read_snp(value["snp"], place.at("snp"), set));
  if (value.contains("tdx")) TRY(read_tdx(value["tdx"], place.at("tdx"), set));
  if (value.contains("secure_boot")) {
    if (value["secure_boot"] != "on") return place.at("secure_boot").refuse("must be \"on\", or left out");
    set.secure_boot = true;
  }
  if (value.contains("allow_unendorsed_ak")) {
    if (!value["allow_unendorsed_ak"].is_boolean()) return place.at("allow_unendorsed_ak").refuse("must be true or false");
    set.allow_unendorsed_ak = value["allow_unendorsed_ak"].get<bool>();
  }
  TRY(check_roots(set, place));
  return set;
}

Json write_set(const ReferenceSet& set) {
  Json roles = Json::array();
  for (Role role : {Role::control_plane, Role::worker}) {
    if (set.admits(role)) roles.push_back(role_name(role));
  }
  Json out = {{"id", set.id},
              {"variant", variant_name(set.variant)},
              {"not_before", utc_text(set.not_before)},
              {"not_after", utc_text(set.not_after)},
              {"roles", std::move(roles)}};
  if (has_tpm(set.variant)) {
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
    out["pcrs"] = std::move(pcrs);
  }
  auto write_roots = [&out](const char* member, const std::vector<std::vector<uint8_t>>& roots) {
    Json list = Json::array();
    for (const std::vector<uint8_t>& root : roots) list.push_back(to_base64(root));
    out[member] = std::move(list);
  };
  const AkRoot root = ak_root_of(set.variant);
  if (root == AkRoot::ek) write_roots("ek_roots", set.ek_roots);
  if (root == AkRoot::certificate || root == AkRoot::document) write_roots("ak_roots", set.ak_roots);
  if (!set.nitro_pcrs.empty()) {
    Json pcrs = Json::object();
    for (const NitroPcr& pcr : set.nitro_pcrs) {
      Json list = Json::array();
      for (const Digest48& digest : pcr.expected) list.push_back(to_hex(digest));
      pcrs[std::to_string(pcr.index)] = std::move(list);
    }
    out["nitro_pcrs"] = std::move(pcrs);
  }
  Json gcp = Json::object();
  if (!set.gcp.projects.empty()) gcp["projects"] = set.gcp.projects;
  for (gcp::Technology technology : set.gcp.technologies) gcp["technologies"].push_back(gcp::technology_name(technology));
  if (!gcp.empty()) out["gcp"] = std::move(gcp);
  if (set.snp) out["snp"] = set.snp->to_json();
  if (set.tdx) out["tdx"] = set.tdx->to_json();
  if (set.secure_boot) out["secure_boot"] = "on";
  if (may_be_unendorsed(set.variant)) out["allow_unendorsed_ak"] = set.allow_unendorsed_ak;
  return out;
}

}  // namespace cstl::reference
