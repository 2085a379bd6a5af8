#include "attest/platform/sources.h"

#include "attest/platform/ak.h"
#include "attest/snp/collateral.h"
#include "attest/tdx/quote.h"
#include "crypto/x509.h"

namespace cstl {

namespace {
class SnpSource final : public tpm::EvidenceSource {
 public:
  SnpSource(tsm::ReportDevice& device, RegisterReader registers, std::vector<uint8_t> collateral)
      : device_(device), reader_(std::move(registers)), collateral_(std::move(collateral)) {}

  Status add(const Digest32& qualifier, Evidence& evidence) override {
    if (reader_) {
      TRY_LET(registers_, reader_());
    }
    evidence.registers = registers_;
    TRY_LET(Digest64 report_data, tee_report_data(qualifier, evidence));
    TRY_LET(report_, device_.report(report_data));
    TRY(read_certificates());
    evidence.tee_report = report_.bytes;
    evidence.tee_certificates = certificates_;
    evidence.tee_collateral = collateral_;
    return success();
  }

 private:
  // What the host gives may be missing or broken: then the verifier brings its own, or says so.
  Status read_certificates() {
    certificates_.clear();
    if (report_.certificates.empty()) return success();
    TRY_LET(snp::Report report, snp::Report::decode(report_.bytes));
    auto table = snp::CertificateTable::decode(report_.certificates);
    if (!table.ok()) return success();
    std::vector<uint8_t> space(kMaxCertificateChain);
    auto items = table->evidence_items(report.signing_key, space);
    if (items.ok()) certificates_ = items->copy();
    return success();
  }

  tsm::ReportDevice& device_;
  RegisterReader reader_;
  tsm::Report report_;
  std::vector<uint8_t> registers_, certificates_, collateral_;
};

class TdxSource final : public tpm::EvidenceSource {
 public:
  TdxSource(tsm::ReportDevice& device, std::vector<uint8_t> ccel, std::vector<uint8_t> collateral)
      : device_(device), ccel_(std::move(ccel)), collateral_(std::move(collateral)) {}

  Status add(const Digest32& qualifier, Evidence& evidence) override {
    TRY_LET(Digest64 report_data, tee_report_data(qualifier, evidence));
    TRY_LET(quote_, device_.report(report_data));
    // A provider may hand out its whole buffer.
    TRY_LET(size_t size, tdx::quote_size(quote_.bytes));
    evidence.tee_report = Bytes(quote_.bytes).first(size);
    evidence.tee_collateral = collateral_;
    evidence.ccel = ccel_;
    return success();
  }

 private:
  tsm::ReportDevice& device_;
  tsm::Report quote_;
  std::vector<uint8_t> ccel_, collateral_;
};

class CertificateSource final : public tpm::EvidenceSource {
 public:
  explicit CertificateSource(std::vector<uint8_t> list) : list_(std::move(list)) {}
  Status add(const Digest32&, Evidence& evidence) override {
    evidence.ak_certificate = list_;
    return success();
  }

 private:
  std::vector<uint8_t> list_;
};

class AllOf final : public tpm::EvidenceSource {
 public:
  explicit AllOf(std::vector<std::unique_ptr<tpm::EvidenceSource>> sources) : sources_(std::move(sources)) {}
  Status add(const Digest32& qualifier, Evidence& evidence) override {
    for (auto& source : sources_) TRY(source->add(qualifier, evidence));
    return success();
  }

 private:
  std::vector<std::unique_ptr<tpm::EvidenceSource>> sources_;
};
}  // namespace

std::unique_ptr<tpm::EvidenceSource> snp_source(tsm::ReportDevice& device, RegisterReader registers,
                                                std::vector<uint8_t> collateral) {
  return std::make_unique<SnpSource>(device, std::move(registers), std::move(collateral));
}

std::unique_ptr<tpm::EvidenceSource> tdx_source(tsm::ReportDevice& device, std::vector<uint8_t> ccel,
                                                std::vector<uint8_t> collateral) {
  return std::make_unique<TdxSource>(device, std::move(ccel), std::move(collateral));
}

Result<std::unique_ptr<tpm::EvidenceSource>> certificate_source(Bytes certificate) {
  // SEQUENCE with a two-byte length, which every certificate has; NV indices are padded behind it.
  if (certificate.size() < 4 || certificate[0] != 0x30 || certificate[1] != 0x82) {
    return fail(Code::ak_missing, "ak.certificate");
  }
  const size_t size = 4 + (size_t{certificate[2]} << 8 | certificate[3]);
  if (size > certificate.size()) return fail(Code::ak_missing, "ak.certificate");
  if (size > kMaxCertificate) return fail(Code::too_long, "ak.certificate");
  std::vector<uint8_t> list{static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
  list.insert(list.end(), certificate.begin(), certificate.begin() + size);
  return std::unique_ptr<tpm::EvidenceSource>(std::make_unique<CertificateSource>(std::move(list)));
}

std::unique_ptr<tpm::EvidenceSource> all_of(std::vector<std::unique_ptr<tpm::EvidenceSource>> sources) {
  return std::make_unique<AllOf>(std::move(sources));
}

}  // namespace cstl
