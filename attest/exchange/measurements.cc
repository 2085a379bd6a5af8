#include "attest/exchange/measurements.h"

#include <algorithm>

#include "crypto/base/json_object.h"

namespace cstl {

namespace {
using Json = nlohmann::json;
constexpr Code kCode = Code::measurements_malformed;
constexpr uint8_t kTheirClusterRtmr = 3, kOurClusterRtmr = 4;  // indexes in their numbering

Status refuse(std::string* problem, const std::string& what) {
  if (problem != nullptr) *problem = what;
  return fail(kCode, "measurements");
}

bool registers_of_tdx(Variant variant) { return variant == Variant::qemu_tdx || variant == Variant::tdx; }

bool cluster_index(Variant variant, uint8_t index) {
  if (registers_of_tdx(variant)) return index == kTheirClusterRtmr || index == kOurClusterRtmr;
  return index == kClusterPcr;
}

Result<uint8_t> index_of(const std::string& key, Variant variant, std::string* problem) {
  const unsigned limit = registers_of_tdx(variant) ? 5 : static_cast<unsigned>(kPcrCount);
  unsigned value = 0;
  bool number = !key.empty() && key.size() <= 2 && (key.size() == 1 || key[0] != '0');
  for (char c : key) {
    number = number && c >= '0' && c <= '9';
    if (number) value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (!number || value >= limit) {
    return refuse(problem, "an index is not a number below " + std::to_string(limit)).error();
  }
  return static_cast<uint8_t>(value);
}

Result<Measurement> measurement_of(const std::string& key, const Json& value, Variant variant, std::string* problem) {
  Measurement out;
  TRY_LET(out.index, index_of(key, variant, problem));
  std::string place = key + ".";
  JsonObject entry(value, kCode, place.c_str(), problem);
  TRY(entry.members({"expected", "warnOnly"}));
  out.expected.resize(registers_of_tdx(variant) ? 48 : 32);
  TRY(entry.hex("expected", out.expected));
  if (entry.has("warnOnly")) {
    TRY_LET(const Json* warn, entry.member("warnOnly"));
    if (!warn->is_boolean()) return entry.wrong("warnOnly", "is neither true nor false");
    out.warn_only = warn->get<bool>();
  }
  return out;
}

const char* provider_of(Variant variant) {
  switch (variant) {
    case Variant::aws_nitro_tpm:
    case Variant::aws_sev_snp: return "AWS";
    case Variant::azure_sev_snp:
    case Variant::azure_tdx:
    case Variant::azure_trustedlaunch: return "Azure";
    case Variant::gcp_sev_es:
    case Variant::gcp_sev_snp: return "GCP";
    case Variant::openstack_qemu_vtpm: return "OpenStack";
    default: return "QEMU";
  }
}

Result<Digest48> sha384_value(const Measurement& measurement, std::string* problem) {
  Digest48 out{};
  if (measurement.expected.size() != out.size()) return refuse(problem, "a value is not a SHA-384").error();
  std::memcpy(out.data(), measurement.expected.data(), out.size());
  return out;
}
}  // namespace

Result<std::vector<Measurement>> read_measurements(const Json& document, Variant variant, std::string* problem) {
  if (problem != nullptr) problem->clear();
  const Json* map = &document;
  if (document.is_object() && document.contains("list")) {
    JsonObject image(document, kCode, "", problem);
    TRY(image.members({"version", "ref", "stream", "list"}));
    TRY_LET(const Json* list, image.member("list"));
    if (!list->is_array() || list->size() > kMaxMeasurementLists) return image.wrong("list", "is not a list of at most 64");
    map = nullptr;
    for (const Json& value : *list) {
      JsonObject entry(value, kCode, "list.", problem);
      TRY(entry.members({"csp", "attestationVariant", "measurements"}));
      TRY_LET(std::string_view name, entry.text("attestationVariant", 64));
      if (name != variant_name(variant)) continue;
      if (map != nullptr) return entry.wrong("attestationVariant", "is there twice");
      TRY_LET(map, entry.member("measurements"));
    }
    if (map == nullptr) {
      if (problem != nullptr) *problem = std::string("the file has no measurements of ") + variant_name(variant);
      return fail(Code::variant_unknown, "measurements.variant");
    }
  }
  if (!map->is_object()) return refuse(problem, "is not a map of measurements").error();
  std::vector<Measurement> out;
  bool enforced = false;
  for (const auto& item : map->items()) {
    TRY_LET(Measurement measurement, measurement_of(item.key(), item.value(), variant, problem));
    if (cluster_index(variant, measurement.index)) continue;
    enforced = enforced || !measurement.warn_only;
    out.push_back(std::move(measurement));
  }
  std::sort(out.begin(), out.end(), [](const Measurement& a, const Measurement& b) { return a.index < b.index; });
  if (!enforced) return refuse(problem, "no measurement is enforced").error();
  return out;
}

Status apply_measurements(const std::vector<Measurement>& measurements, ReferenceSet* set, std::string* problem) {
  if (!registers_of_tdx(set->variant)) {
    if (!has_tpm(set->variant)) return fail(Code::unsupported, "measurements.variant");
    set->pcrs.clear();
    for (const Measurement& measurement : measurements) {
      if (measurement.expected.size() != sizeof(Digest32)) return refuse(problem, "a value is not a SHA-256");
      PcrReference pcr;
      pcr.index = measurement.index;
      pcr.enforce = !measurement.warn_only;
      Digest32 digest{};
      std::memcpy(digest.data(), measurement.expected.data(), digest.size());
      pcr.expected.push_back(digest);
      set->pcrs.push_back(std::move(pcr));
    }
    return success();
  }
  if (!set->tdx) set->tdx.emplace();
  set->tdx->mr_td.clear();
  set->tdx->rtmrs.clear();
  for (const Measurement& measurement : measurements) {
    TRY_LET(Digest48 digest, sha384_value(measurement, problem));
    if (measurement.index == 0) {
      if (measurement.warn_only) return refuse(problem, "0 (MRTD) cannot only warn");
      set->tdx->mr_td.push_back(digest);
      continue;
    }
    tdx::RtmrReference rtmr;
    rtmr.index = static_cast<uint8_t>(measurement.index - 1);
    rtmr.enforce = !measurement.warn_only;
    rtmr.expected.push_back(digest);
    set->tdx->rtmrs.push_back(std::move(rtmr));
  }
  return success();
}

Result<std::vector<Measurement>> measurements_of(const ReferenceSet& set, std::string* problem) {
  std::vector<Measurement> out;
  auto put = [&](uint8_t index, bool enforce, size_t values, Bytes value) -> Status {
    if (values != 1) {
      if (problem != nullptr) *problem = "index " + std::to_string(index) + " accepts several values";
      return fail(Code::unsupported, "measurements.several");
    }
    out.push_back(Measurement{index, value.copy(), !enforce});
    return success();
  };
  if (registers_of_tdx(set.variant) && set.tdx) {
    if (!set.tdx->mr_td.empty()) TRY(put(0, true, set.tdx->mr_td.size(), set.tdx->mr_td.front()));
    for (const tdx::RtmrReference& rtmr : set.tdx->rtmrs) {
      uint8_t index = static_cast<uint8_t>(rtmr.index + 1);
      if (!cluster_index(set.variant, index)) TRY(put(index, rtmr.enforce, rtmr.expected.size(), rtmr.expected.front()));
    }
  }
  for (const PcrReference& pcr : set.pcrs) TRY(put(pcr.index, pcr.enforce, pcr.expected.size(), pcr.expected.front()));
  if (out.empty()) return fail(Code::unsupported, "measurements.none");
  return out;
}

std::string write_measurements(const std::vector<Measurement>& measurements, Variant variant, const ImageLabel* image) {
  Json map = Json::object();
  for (const Measurement& measurement : measurements) {
    map[std::to_string(measurement.index)] = {{"expected", to_hex(measurement.expected)}, {"warnOnly", measurement.warn_only}};
  }
  if (image == nullptr) return map.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
  Json entry = {{"csp", provider_of(variant)}, {"attestationVariant", variant_name(variant)}, {"measurements", std::move(map)}};
  Json root = {{"version", image->version},
               {"ref", image->ref},
               {"stream", image->stream},
               {"list", Json::array({std::move(entry)})}};
  return root.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace cstl
