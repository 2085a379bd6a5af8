#include "attest/azure/issue.h"

#include "attest/azure/hcl.h"
#include "attest/platform/base64url.h"
#include "crypto/base/json.h"
#include "crypto/x509.h"

namespace cstl::azure {

namespace {
using Json = nlohmann::json;

class Source final : public tpm::EvidenceSource {
 public:
  Status add(const Digest32&, Evidence& evidence) override {
    evidence.tee_report = report;
    evidence.tee_certificates = certificates;
    evidence.tee_collateral = collateral;
    evidence.runtime_data = runtime_data;
    return success();
  }
  std::vector<uint8_t> report, certificates, collateral, runtime_data;
};

// The member of a JSON object, a string.
Result<std::string> text_of(Bytes body, const char* name) {
  Result<Json> parsed = parse_json(body.text(), kMaxMetadataAnswer, 4);
  if (!parsed.ok() || !parsed->is_object()) return fail(Code::metadata_failed, "metadata.json");
  auto at = parsed->find(name);
  if (at == parsed->end() || !at->is_string()) return fail(Code::metadata_failed, "metadata.member");
  return at->get_ref<const std::string&>();
}

Result<std::vector<uint8_t>> quote_of(Bytes td_report, MetadataService& metadata) {
  const std::string body = "{\"report\":\"" + to_base64url(td_report) + "\"}";
  TRY_LET(std::vector<uint8_t> answer, metadata.ask("/acc/tdquote", &body));
  TRY_LET(std::string quote, text_of(answer, "quote"));
  Result<std::vector<uint8_t>> bytes = from_base64url(quote, kMaxTeeReport);
  if (!bytes.ok()) return fail(Code::metadata_failed, "metadata.quote");
  return bytes;
}

// VCEK, ASK and ARK, as evidence carries them.
Result<std::vector<uint8_t>> certificates_of(MetadataService& metadata) {
  TRY_LET(std::vector<uint8_t> answer, metadata.ask("/metadata/THIM/amd/certification", nullptr));
  TRY_LET(std::string leaf, text_of(answer, "vcekCert"));
  TRY_LET(std::string chain, text_of(answer, "certificateChain"));
  std::vector<uint8_t> out;
  for (const std::string* pem : {&leaf, &chain}) {
    TRY_LET(auto list, certificates_from_file(*pem));
    for (const std::vector<uint8_t>& der : list) {
      if (out.size() + 2 + der.size() > kMaxCertificateChain) return fail(Code::too_long, "metadata.certificates");
      out.push_back(static_cast<uint8_t>(der.size() >> 8));
      out.push_back(static_cast<uint8_t>(der.size()));
      out.insert(out.end(), der.begin(), der.end());
    }
  }
  return out;
}
}  // namespace

Result<std::unique_ptr<tpm::EvidenceSource>> open_source(tpm::Device& device, Variant variant, MetadataService& metadata,
                                                         const Confine& confine, std::vector<uint8_t> collateral) {
  TRY_LET(std::vector<uint8_t> stored, device.read_nv(kHclIndex, kMaxHcl));
  TRY_LET(HclReport hcl, HclReport::decode(stored));
  if (hcl.kind != (variant == Variant::azure_tdx ? HclKind::tdx : HclKind::snp)) {
    return fail(Code::tee_missing, "hcl.type");
  }
  auto source = std::make_unique<Source>();
  source->runtime_data = hcl.runtime_data.copy();
  source->collateral = std::move(collateral);
  if (variant == Variant::azure_tdx) {
    auto ask = [&] { return quote_of(hcl.report, metadata); };
    TRY_LET(source->report, work_apart(ask, confine, kMaxTeeReport, "azure.quote"));
  } else {
    source->report = hcl.report.copy();
    auto ask = [&] { return certificates_of(metadata); };
    auto certificates = work_apart(ask, confine, kMaxCertificateChain, "azure.certificates");
    if (certificates.ok()) source->certificates = std::move(*certificates);
  }
  return std::unique_ptr<tpm::EvidenceSource>(std::move(source));
}

}  // namespace cstl::azure
