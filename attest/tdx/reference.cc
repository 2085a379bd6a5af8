#include "attest/tdx/reference.h"

#include <algorithm>

#include "attest/reference_members.h"
#include "attest/roots.h"

namespace cstl::tdx {

namespace {
using Json = nlohmann::json;
constexpr size_t kMaxComponentName = 64;

// Every list of values is hexadecimal; one table for reading and writing.
template <typename T>
struct List {
  const char* name;
  std::vector<T> Reference::*values;
  size_t max;
};
constexpr List<Digest48> kDigests[] = {
    {"mr_td", &Reference::mr_td, kMaxExpected},
    {"mr_seam", &Reference::mr_seam, kMaxExpected},
    {"mr_signer_seam", &Reference::mr_signer_seam, kMaxExpected},
    {"mr_config_id", &Reference::mr_config_id, kMaxExpected},
    {"mr_owner", &Reference::mr_owner, kMaxExpected},
    {"mr_owner_config", &Reference::mr_owner_config, kMaxExpected},
    {"mr_service_td", &Reference::mr_service_td, kMaxExpected},
};
constexpr List<Digest32> kHashes[] = {
    {"roots", &Reference::roots, kMaxExpected},
    {"platforms", &Reference::platforms, kMaxPlatforms},
};
struct Flag {
  const char* name;
  bool Reference::Attributes::*value;
};
constexpr Flag kFlags[] = {{"debug", &Reference::Attributes::debug},
                           {"migratable", &Reference::Attributes::migratable},
                           {"perfmon", &Reference::Attributes::perfmon},
                           {"sept_ve_disable", &Reference::Attributes::sept_ve_disable}};
struct Minimum {
  const char* name;
  uint16_t Reference::*value;
};
constexpr Minimum kMinimums[] = {{"pce_svn", &Reference::pce_svn}, {"qe_svn", &Reference::qe_svn}};

bool plain(std::string_view text) {
  return text.size() <= kMaxComponentName &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Status read_statuses(const JsonObject& object, TcbStatusSet* out) {
  if (!object.has("tcb_statuses")) return success();
  TRY_LET(const Json* list, object.member("tcb_statuses"));
  if (!list->is_array() || list->empty() || list->size() > kTcbStatuses) {
    return object.wrong("tcb_statuses", "is not a list with values");
  }
  *out = 0;
  for (const Json& item : *list) {
    const std::string* text = item.get_ptr<const std::string*>();
    auto status = text != nullptr ? tcb_status_from(*text) : Result<TcbStatus>(fail(Code::bad_value, "tdx.status"));
    if (!status || *status == TcbStatus::revoked)
      return object.wrong("tcb_statuses", "holds what is no status to accept");
    if ((*out & tcb_bit(*status)) != 0) return object.wrong("tcb_statuses", "holds a value twice");
    *out = static_cast<TcbStatusSet>(*out | tcb_bit(*status));
  }
  return success();
}

Status read_component(const JsonObject& object, std::string* out) {
  TRY_LET(std::string_view text, object.optional_text("component", kMaxComponentName));
  if (!plain(text)) return object.wrong("component", "is not printable");
  *out = text;
  return success();
}

Status read_rtmr(const Json& value, uint8_t index, std::string* problem, Reference* out) {
  const std::string where = "tdx.rtmrs." + std::to_string(index) + ".";
  JsonObject object(value, Code::reference_malformed, where.c_str(), problem);
  TRY(object.members({"expected", "enforce", "component", "events"}));
  RtmrReference rtmr;
  rtmr.index = index;
  if (!object.has("expected")) return object.wrong("expected", "is missing");
  TRY(read_list(object, "expected", kMaxExpected, &rtmr.expected));
  TRY(read_bool(object, "enforce", &rtmr.enforce));
  TRY(read_component(object, &rtmr.component));
  if (object.has("events")) {
    TRY_LET(const Json* list, object.member("events"));
    if (!list->is_array() || list->size() > kMaxRtmrEvents) return object.wrong("events", "is not a list, or too long");
    for (const Json& item : *list) {
      JsonObject one(item, Code::reference_malformed, where.c_str(), problem);
      TRY(one.members({"digest", "component"}));
      RtmrEvent event;
      TRY(one.hex("digest", event.digest));
      TRY(read_component(one, &event.component));
      rtmr.events.push_back(std::move(event));
    }
  }
  out->rtmrs.push_back(std::move(rtmr));
  return success();
}

Status read_rtmrs(const JsonObject& object, std::string* problem, Reference* out) {
  if (!object.has("rtmrs")) return success();
  TRY_LET(const Json* map, object.member("rtmrs"));
  if (!map->is_object() || map->empty()) return object.wrong("rtmrs", "is not an object with members");
  for (const auto& item : map->items()) {  // sorted by key
    const std::string& key = item.key();
    if (key.size() != 1 || key[0] < '0' || key[0] > '3') return object.wrong("rtmrs", "names a register that is none");
    auto index = static_cast<uint8_t>(key[0] - '0');
    if (index == kClusterRtmr) return object.wrong("rtmrs", "names RTMR3, which is the cluster's");
    TRY(read_rtmr(item.value(), index, problem, out));
  }
  return success();
}

std::array<uint8_t, 8> big_endian(uint64_t value) {
  std::array<uint8_t, 8> out{};
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(value >> (8 * (out.size() - 1 - i)));
  return out;
}

Json write_rtmr(const RtmrReference& rtmr) {
  Json out = Json::object();
  write_list(&out, "expected", rtmr.expected);
  out["enforce"] = rtmr.enforce;
  if (!rtmr.component.empty()) out["component"] = rtmr.component;
  for (const RtmrEvent& event : rtmr.events) {
    Json one = Json::object();
    one["digest"] = to_hex(event.digest);
    if (!event.component.empty()) one["component"] = event.component;
    out["events"].push_back(std::move(one));
  }
  return out;
}
}  // namespace

Result<Reference> Reference::from_json(const Json& value, std::string* problem) {
  JsonObject object(value, Code::reference_malformed, "tdx.", problem);
  TRY(object.members({"roots", "collateral_required", "tcb_statuses", "evaluation", "tee_tcb_svn", "pce_svn", "qe_svn",
                      "qe_vendors", "mr_td", "mr_seam", "mr_signer_seam", "mr_config_id", "mr_owner", "mr_owner_config",
                      "mr_service_td", "rtmrs", "attributes", "xfam", "platforms"}));
  Reference out;
  for (const auto& list : kDigests) TRY(read_list(object, list.name, list.max, &(out.*list.values)));
  for (const auto& list : kHashes) TRY(read_list(object, list.name, list.max, &(out.*list.values)));
  TRY(read_list(object, "qe_vendors", kMaxExpected, &out.qe_vendors));
  TRY(read_bool(object, "collateral_required", &out.collateral_required));
  TRY(read_statuses(object, &out.statuses));
  TRY_LET(int64_t evaluation, object.number("evaluation", 0, 0, INT32_MAX));
  out.evaluation = static_cast<uint32_t>(evaluation);
  for (const Minimum& minimum : kMinimums) {
    TRY_LET(int64_t number, object.number(minimum.name, 0, 0, UINT16_MAX));
    out.*minimum.value = static_cast<uint16_t>(number);
  }
  if (object.has("tee_tcb_svn")) {
    Components svn{};
    TRY(object.hex("tee_tcb_svn", svn));
    out.tee_tcb_svn = svn;
  }
  std::vector<std::array<uint8_t, 8>> masks;
  TRY(read_list(object, "xfam", kMaxExpected, &masks));
  for (const auto& mask : masks) {
    uint64_t number = 0;
    for (uint8_t byte : mask) number = number << 8 | byte;
    out.xfam.push_back(number);
  }
  if (object.has("attributes")) {
    TRY_LET(const Json* member, object.member("attributes"));
    JsonObject attributes_object(*member, Code::reference_malformed, "tdx.attributes.", problem);
    TRY(attributes_object.members({"debug", "migratable", "perfmon", "sept_ve_disable"}));
    for (const Flag& flag : kFlags) TRY(read_bool(attributes_object, flag.name, &(out.attributes.*flag.value)));
  }
  TRY(read_rtmrs(object, problem, &out));
  return out;
}

Json Reference::to_json() const {
  const Reference standard;
  Json out = Json::object();
  for (const auto& list : kDigests) write_list(&out, list.name, this->*list.values);
  for (const auto& list : kHashes) write_list(&out, list.name, this->*list.values);
  write_list(&out, "qe_vendors", qe_vendors);
  if (!collateral_required) out["collateral_required"] = false;
  if (statuses != standard.statuses) {
    Json list = Json::array();
    for (size_t i = 0; i < kTcbStatuses; ++i) {
      auto status = static_cast<TcbStatus>(i);
      if ((statuses & tcb_bit(status)) != 0) list.push_back(tcb_status_name(status));
    }
    out["tcb_statuses"] = std::move(list);
  }
  if (evaluation != 0) out["evaluation"] = evaluation;
  for (const Minimum& minimum : kMinimums) {
    if (this->*minimum.value != 0) out[minimum.name] = this->*minimum.value;
  }
  if (tee_tcb_svn) out["tee_tcb_svn"] = to_hex(*tee_tcb_svn);
  for (uint64_t mask : xfam) out["xfam"].push_back(to_hex(big_endian(mask)));
  for (const Flag& flag : kFlags) {
    if (attributes.*flag.value != standard.attributes.*flag.value)
      out["attributes"][flag.name] = attributes.*flag.value;
  }
  for (const RtmrReference& rtmr : rtmrs) out["rtmrs"][std::to_string(rtmr.index)] = write_rtmr(rtmr);
  return out;
}

Reference Reference::own(const VerifiedQuote& quote) {
  const TdReport& report = quote.report();
  Reference out;
  out.mr_td = {report.mr_td};
  for (uint8_t index : {uint8_t{1}, uint8_t{2}}) {
    RtmrReference rtmr;
    rtmr.index = index;
    rtmr.expected = {report.rtmr[index]};
    out.rtmrs.push_back(std::move(rtmr));
  }
  out.attributes.debug = (report.td_attributes & kTdTud) != 0;
  out.attributes.migratable = (report.td_attributes & kTdMigratable) != 0;
  out.tee_tcb_svn = report.tee_tcb_svn;
  out.pce_svn = quote.pck().pce_svn;
  out.qe_svn = quote.qe_isv_svn();
  return out;
}

bool Reference::names_software() const {
  return !mr_td.empty() && std::any_of(rtmrs.begin(), rtmrs.end(), [](const RtmrReference& rtmr) {
    return rtmr.enforce && (rtmr.index == 1 || rtmr.index == 2);
  });
}

Trust Reference::trust(int64_t now) const {
  return roots.empty() ? Trust{kIntelRoots.hashes, kIntelRoots.count, now} : Trust{roots.data(), roots.size(), now};
}

}  // namespace cstl::tdx
