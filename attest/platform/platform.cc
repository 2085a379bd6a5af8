#include "attest/platform/platform.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "attest/azure/issue.h"
#include "attest/platform/report_issuer.h"
#include "attest/platform/sources.h"
#include "attest/reference/appraise.h"
#include "attest/tpm/log_file.h"
#include "attest/tsm/broker.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"

namespace cstl {

namespace {
constexpr uint32_t kGceCertificateRsa = 0x01c10000, kGceTemplateRsa = 0x01c10001;
constexpr uint32_t kGceCertificateEcc = 0x01c10002, kGceTemplateEcc = 0x01c10003;

bool on_azure(Variant v) {
  return v == Variant::azure_sev_snp || v == Variant::azure_tdx || v == Variant::azure_trustedlaunch;
}
bool on_gcp(Variant v) { return v == Variant::gcp_sev_es || v == Variant::gcp_sev_snp; }
// Azure's paravisor keeps the device for itself.
bool has_report_device(Variant v) { return (has_snp(v) || has_tdx(v)) && !on_azure(v); }

Result<std::unique_ptr<tsm::ReportDevice>> kernel_device(Variant variant, const PlatformPaths& paths, unsigned owner) {
  const bool snp = has_snp(variant);
  auto device = tsm::open_configfs(paths.configfs, snp ? tsm::kSevProvider : tsm::kTdxProvider, owner);
  if (device.ok() || !snp || device.code() != Code::tee_missing) return device;
  return tsm::open_sev_guest(paths.sev_guest);
}

// What a machine may have: an empty name, or no such file, is none.
template <typename Read>
Result<std::vector<uint8_t>> read_if_there(const std::string& path, Read read) {
  if (path.empty()) return std::vector<uint8_t>();
  Result<std::vector<uint8_t>> bytes = read(path.c_str());
  if (bytes.code() == Code::not_found) return std::vector<uint8_t>();
  return bytes;
}

// An image may serve machines of both makers: what belongs to the other's TEE is left out of the evidence.
Result<std::vector<uint8_t>> items_of_tee(const std::vector<uint8_t>& all, bool tdx) {
  constexpr uint8_t kFirstOfTdx = 32;
  std::vector<uint8_t> out;
  for (Reader r(all); r.remaining() > 0;) {
    const Bytes rest = Bytes(all).skip(all.size() - r.remaining());
    auto kind = r.u8();
    auto item = r.bytes32(kMaxTeeCollateral);
    if (!kind || !item) return fail(tdx ? Code::tdx_collateral_malformed : Code::snp_collateral_malformed, "platform.collateral");
    const Bytes whole = rest.first(rest.size() - r.remaining());
    if ((*kind >= kFirstOfTdx) == tdx) out.insert(out.end(), whole.begin(), whole.end());
  }
  return out;
}

bool zeros(const std::vector<uint8_t>& value) {
  return std::all_of(value.begin(), value.end(), [](uint8_t byte) { return byte == 0; });
}

// sev-snp: a file that is written once, in a folder that a reboot empties.
Result<std::vector<uint8_t>> read_asserted(const std::string& path) {
  auto value = read_file(path.c_str(), kRegisters);
  if (value.code() == Code::not_found) return std::vector<uint8_t>(kRegisters);
  if (!value.ok() || value->size() != kRegisters) return fail(Code::register_failed, "register.read");
  return value;
}

Status write_asserted(const std::string& path, Bytes value) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd.valid()) return fail(Code::register_failed, "register.create", Origin::errno_value, errno);
  TRY(write_all(fd.get(), value));
  return fd.close();
}

// The kernel's file: reading gives the register, writing extends it.
Result<Digest48> kernel_rtmr(const std::string& path, const Digest48* event) {
  if (event != nullptr) {
    Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return fail(Code::register_failed, "register.rtmr3", Origin::errno_value, errno);
    TRY(write_all(fd.get(), *event));
  }
  Digest48 out;
  auto value = read_file(path.c_str(), out.size());
  if (!value.ok() || value->size() != out.size()) return fail(Code::register_failed, "register.rtmr3");
  std::memcpy(out.data(), value->data(), out.size());
  return out;
}
}  // namespace

struct Platform::State {
  Variant variant = Variant::qemu_vtpm;
  PlatformPaths paths;
  std::unique_ptr<tpm::Device> tpm;
  std::unique_ptr<tsm::ReportDevice> reports;
  std::unique_ptr<tpm::EvidenceSource> source;
  aws::Documents documents;
  Confine confine_metadata;
  std::function<Result<Digest48>(const Digest48*)> rtmr3;
  std::vector<uint8_t> collateral, ccel;
  std::vector<uint8_t> asserted;  // sev-snp: as last read here; evidence has this, for a confined process has no path

  Result<std::vector<uint8_t>> read_register() {
    if (tpm) {
      auto pcrs = tpm->read_pcrs();
      if (!pcrs.ok()) return pcrs.error();
      return Bytes((*pcrs)[kClusterPcr]).copy();
    }
    if (!has_tdx(variant)) {
      TRY_LET(asserted, read_asserted(paths.cluster_register));
      return asserted;
    }
    TRY_LET(Digest48 value, rtmr3(nullptr));
    return Bytes(value).copy();
  }

  Result<std::vector<uint8_t>> expected_register(const Digest32& cluster_id) const {
    if (!tpm && has_tdx(variant)) {
      TRY_LET(Digest48 value, cluster_rtmr(cluster_id));
      return Bytes(value).copy();
    }
    TRY_LET(Digest32 value, cluster_pcr(cluster_id));
    return Bytes(value).copy();
  }

  Status extend(const Digest32& cluster_id) {
    if (tpm) return tpm->pcr_event(kClusterPcr, cluster_id);
    if (has_tdx(variant)) {
      TRY_LET(Digest48 event, sha384({cluster_id}));
      auto extended = rtmr3(&event);
      return extended.ok() ? success() : Status(extended.error());
    }
    TRY_LET(Digest32 value, cluster_pcr(cluster_id));
    return write_asserted(paths.cluster_register, value);
  }

  // The AK that the platform vouches for, and the certificate of it if there is one.
  Status choose_ak(tpm::IssueConfig& config, std::vector<std::unique_ptr<tpm::EvidenceSource>>& sources) {
    if (on_azure(variant)) config.ak = {tpm::AkChoice::persistent, azure::kAkHandle};
    uint32_t certificate = variant == Variant::azure_trustedlaunch ? azure::kAkCertificateIndex : 0;
    if (on_gcp(variant)) {
      auto ecc = tpm->read_nv(kGceTemplateEcc, kMaxTpmPublic);
      if (!ecc.ok() && ecc.code() != Code::not_found) return ecc.error();
      config.ak = {tpm::AkChoice::stored, ecc.ok() ? kGceTemplateEcc : kGceTemplateRsa};
      certificate = ecc.ok() ? kGceCertificateEcc : kGceCertificateRsa;
    }
    if (certificate == 0) return success();
    TRY_LET(std::vector<uint8_t> der, tpm->read_nv(certificate, kMaxCertificate));
    TRY_LET(auto one, certificate_source(der));
    sources.push_back(std::move(one));
    return success();
  }
};

Platform::Platform() : state_(std::make_unique<State>()) {}
Platform::~Platform() = default;

Result<std::unique_ptr<Platform>> Platform::open(Variant variant, const PlatformPaths& paths, PlatformDevices devices) {
  std::unique_ptr<Platform> out(new Platform());
  State& s = *out->state_;
  s.variant = variant;
  s.paths = paths;
  s.documents = std::move(devices.documents);
  s.rtmr3 = std::move(devices.rtmr3);
  s.confine_metadata = devices.brokers.metadata;
  if (!s.rtmr3) s.rtmr3 = [path = paths.rtmr3](const Digest48* event) { return kernel_rtmr(path, event); };
  // First, so that a broker's process never has the TPM.
  if (has_report_device(variant)) {
    const Brokers& brokers = devices.brokers;
    auto open = [&] { return devices.reports ? devices.reports(variant) : kernel_device(variant, paths, brokers.uid); };
    TRY_LET(s.reports, brokers.reports ? tsm::open_apart(open, brokers.reports) : open());
  }
  if (has_tpm(variant)) {
    TRY_LET(s.tpm, tpm::Device::open(paths.tpm));
  }
  TRY_LET(std::vector<uint8_t> collateral, read_if_there(paths.collateral, [](const char* path) {
            return read_file(path, 2 * kMaxTeeCollateral);
          }));
  TRY_LET(s.collateral, items_of_tee(collateral, has_tdx(variant)));
  if (!s.tpm && has_tdx(variant)) {
    TRY_LET(s.ccel, read_if_there(paths.ccel, [](const char* path) {
              return tpm::read_log_file(path, tpm::kCcLog, kMaxCcel);
            }));
  }
  if (!s.tpm && has_snp(variant)) {
    TRY_LET(s.asserted, read_asserted(paths.cluster_register));
  }
  return out;
}

Variant Platform::variant() const { return state_->variant; }
tpm::Device* Platform::tpm() { return state_->tpm.get(); }
int Platform::lifeline() const { return state_->reports ? state_->reports->lifeline() : -1; }

Result<std::unique_ptr<LocalAttester>> Platform::attester() {
  State& s = *state_;
  tpm::IssueConfig config;
  config.variant = s.variant;
  config.event_log = s.paths.event_log;
  std::vector<std::unique_ptr<tpm::EvidenceSource>> sources;
  if (s.tpm) TRY(s.choose_ak(config, sources));
  if (s.variant == Variant::azure_sev_snp || s.variant == Variant::azure_tdx) {
    std::unique_ptr<MetadataService> metadata = http_metadata(s.paths.metadata);
    TRY_LET(auto azure, azure::open_source(*s.tpm, s.variant, *metadata, s.confine_metadata, s.collateral));
    sources.push_back(std::move(azure));
  }
  if (ak_root_of(s.variant) == AkRoot::document) {
    sources.push_back(aws::document_source(s.documents ? s.documents : aws::nitro_documents(*s.tpm)));
  }
  if (s.reports && has_tdx(s.variant)) sources.push_back(tdx_source(*s.reports, s.ccel, s.collateral));
  if (s.reports && has_snp(s.variant)) {
    RegisterReader reader;
    if (!s.tpm) reader = [&s]() -> Result<std::vector<uint8_t>> { return s.asserted; };
    sources.push_back(snp_source(*s.reports, std::move(reader), s.collateral));
  }
  s.source = all_of(std::move(sources));
  if (!s.tpm) return std::unique_ptr<LocalAttester>(std::make_unique<ReportIssuer>(s.variant, *s.source));
  config.source = s.source.get();
  TRY_LET(std::unique_ptr<tpm::Issuer> issuer, tpm::Issuer::create(*s.tpm, config));
  return std::unique_ptr<LocalAttester>(std::move(issuer));
}

Result<bool> Platform::in_cluster() {
  TRY_LET(std::vector<uint8_t> value, state_->read_register());
  return !zeros(value);
}

Status Platform::enter_cluster(const Digest32& cluster_id) {
  TRY_LET(std::vector<uint8_t> before, state_->read_register());
  if (!zeros(before)) return fail(Code::pcr_not_zero, "register.enter");
  TRY(state_->extend(cluster_id));
  TRY_LET(std::vector<uint8_t> after, state_->read_register());
  TRY_LET(std::vector<uint8_t> expected, state_->expected_register(cluster_id));
  if (after != expected) return fail(Code::mismatch, "register.enter");
  return success();
}

Status Platform::check_cluster(const Digest32& cluster_id) {
  TRY_LET(std::vector<uint8_t> value, state_->read_register());
  TRY_LET(std::vector<uint8_t> expected, state_->expected_register(cluster_id));
  if (value != expected) return fail(Code::cluster_mismatch, "register.check");
  return success();
}

}  // namespace cstl
