#include "attest/tdx/tcb.h"

#include "crypto/base/json_object.h"
#include "crypto/base/utc.h"

namespace cstl::tdx {

namespace {
constexpr int kMaxDepth = 8;
constexpr size_t kComponentCount = 16;
constexpr Code kMalformed = Code::tdx_collateral_malformed;
constexpr const char* kStatusNames[kTcbStatuses] = {
    "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate",
    "OutOfDateConfigurationNeeded", "Revoked", "TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded"};

Result<int64_t> date(const JsonObject& object, const char* name) {
  constexpr size_t kLongest = 20;
  TRY_LET(std::string_view text, object.text(name, kLongest));
  auto seconds = parse_utc(text);
  if (!seconds) return object.wrong(name, "is not a time in UTC");
  return *seconds;
}

template <typename T>
Status number(const JsonObject& object, const char* name, int64_t high, T* out) {
  TRY(object.member(name));
  TRY_LET(int64_t value, object.number(name, 0, 0, high));
  *out = static_cast<T>(value);
  return success();
}

Status is_number(const JsonObject& object, const char* name, int64_t wanted) {
  int64_t value = -1;
  TRY(number(object, name, INT32_MAX, &value));
  return value == wanted ? success() : Status(object.wrong(name, "has a value that is not supported"));
}

Result<const nlohmann::json*> array(const JsonObject& object, const char* name, size_t max) {
  TRY_LET(const nlohmann::json* list, object.member(name));
  if (!list->is_array()) return object.wrong(name, "is not a list");
  if (list->size() > max) return object.wrong(name, "is too long");
  return list;
}

Status components(const JsonObject& tcb, const char* name, std::string* problem, Components* out) {
  TRY_LET(const nlohmann::json* list, array(tcb, name, kComponentCount));
  if (list->size() != kComponentCount) return tcb.wrong(name, "has not 16 components");
  for (size_t i = 0; i < kComponentCount; ++i) {
    JsonObject one((*list)[i], kMalformed, "tcb.component.", problem);
    TRY(number(one, "svn", 0xff, &(*out)[i]));
  }
  return success();
}

Status advisories(const JsonObject& level, TcbLevel* out) {
  if (!level.has("advisoryIDs")) return success();
  TRY_LET(const nlohmann::json* list, array(level, "advisoryIDs", kMaxAdvisories));
  for (const nlohmann::json& item : *list) {
    const std::string* id = item.get_ptr<const std::string*>();
    if (!id || id->empty() || id->size() > kMaxAdvisory ||
        id->find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
      return level.wrong("advisoryIDs", "holds what is no advisory's id");
    }
    out->advisories.push_back(*id);
  }
  return success();
}

enum class LevelKind : uint8_t { platform, enclave };

Status parse_levels(const JsonObject& owner, LevelKind kind, std::string* problem, std::vector<TcbLevel>* out) {
  TRY_LET(const nlohmann::json* list, array(owner, "tcbLevels", kMaxTcbLevels));
  if (list->empty()) return owner.wrong("tcbLevels", "is empty");
  for (const nlohmann::json& item : *list) {
    TcbLevel level;
    JsonObject object(item, kMalformed, "tcbLevels.", problem);
    TRY_LET(const nlohmann::json* inner, object.member("tcb"));
    JsonObject tcb(*inner, kMalformed, "tcbLevels.tcb.", problem);
    if (kind == LevelKind::platform) {
      TRY(components(tcb, "sgxtcbcomponents", problem, &level.sgx));
      TRY(components(tcb, "tdxtcbcomponents", problem, &level.tdx));
      TRY(number(tcb, "pcesvn", 0xffff, &level.pce_svn));
    } else {
      TRY(number(tcb, "isvsvn", 0xffff, &level.isv_svn));
    }
    TRY_LET(level.date, date(object, "tcbDate"));
    constexpr size_t kLongestStatus = 40;
    TRY_LET(std::string_view name, object.text("tcbStatus", kLongestStatus));
    auto status = tcb_status_from(name);
    if (!status || *status >= TcbStatus::td_relaunch_advised) return object.wrong("tcbStatus", "has an unknown value");
    level.status = *status;
    TRY(advisories(object, &level));
    out->push_back(std::move(level));
  }
  return success();
}

Status module_identity(const JsonObject& object, TdxModule* out) {
  TRY(object.hex("mrsigner", out->mr_signer));
  TRY(object.hex("attributes", out->attributes));
  return object.hex("attributesMask", out->attributes_mask);
}

Result<nlohmann::json> parse_object(std::string_view object, std::string* problem) {
  auto parsed = parse_json(object, kMaxSignedObject, kMaxDepth);
  if (!parsed) {
    if (problem) *problem = "is not JSON";
    return fail(kMalformed, parsed.error().site);
  }
  return parsed;
}

template <typename T>
Status validity(const JsonObject& object, T* out) {
  TRY_LET(out->issue_date, date(object, "issueDate"));
  TRY_LET(out->next_update, date(object, "nextUpdate"));
  return number(object, "tcbEvaluationDataNumber", INT32_MAX, &out->evaluation);
}
}  // namespace

const char* tcb_status_name(TcbStatus status) {
  auto number = static_cast<size_t>(status);
  return number < kTcbStatuses ? kStatusNames[number] : "unknown";
}

Result<TcbStatus> tcb_status_from(std::string_view name) {
  for (size_t i = 0; i < kTcbStatuses; ++i) {
    if (name == kStatusNames[i]) return static_cast<TcbStatus>(i);
  }
  return fail(Code::bad_value, "tdx.tcb_status");
}

Result<TcbInfo> TcbInfo::parse(std::string_view object, std::string* problem) {
  constexpr int64_t kVersion = 3, kTcbType = 0;
  TRY_LET(nlohmann::json json, parse_object(object, problem));
  JsonObject info(json, kMalformed, "tcbInfo.", problem);
  TRY(info.literal("id", "TDX"));
  TRY(is_number(info, "version", kVersion));
  TRY(is_number(info, "tcbType", kTcbType));
  TcbInfo out;
  TRY(validity(info, &out));
  TRY(info.hex("fmspc", out.fmspc));
  TRY(info.hex("pceId", out.pce_id));
  TRY_LET(const nlohmann::json* module, info.member("tdxModule"));
  TRY(module_identity(JsonObject(*module, kMalformed, "tdxModule.", problem), &out.module));
  if (info.has("tdxModuleIdentities")) {
    constexpr size_t kLongestId = 16;
    TRY_LET(const nlohmann::json* list, array(info, "tdxModuleIdentities", kMaxModules));
    for (const nlohmann::json& item : *list) {
      JsonObject one(item, kMalformed, "tdxModuleIdentities.", problem);
      TdxModule identity;
      TRY_LET(std::string_view id, one.text("id", kLongestId));
      identity.id = id;
      TRY(module_identity(one, &identity));
      TRY(parse_levels(one, LevelKind::enclave, problem, &identity.levels));
      out.modules.push_back(std::move(identity));
    }
  }
  TRY(parse_levels(info, LevelKind::platform, problem, &out.levels));
  return out;
}

Result<QeIdentity> QeIdentity::parse(std::string_view object, std::string* problem) {
  constexpr int64_t kVersion = 2;
  TRY_LET(nlohmann::json json, parse_object(object, problem));
  JsonObject identity(json, kMalformed, "enclaveIdentity.", problem);
  TRY(identity.literal("id", "TD_QE"));
  TRY(is_number(identity, "version", kVersion));
  QeIdentity out;
  TRY(validity(identity, &out));
  TRY(identity.hex("miscselect", out.misc_select));
  TRY(identity.hex("miscselectMask", out.misc_select_mask));
  TRY(identity.hex("attributes", out.attributes));
  TRY(identity.hex("attributesMask", out.attributes_mask));
  TRY(identity.hex("mrsigner", out.mr_signer));
  TRY(number(identity, "isvprodid", 0xffff, &out.isv_prod_id));
  TRY(parse_levels(identity, LevelKind::enclave, problem, &out.levels));
  return out;
}

}  // namespace cstl::tdx
