#include "tests/attest/platform/machine.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>

#include "attest/platform/ak.h"
#include "attest/platform/base64url.h"
#include "attest/snp/collateral.h"
#include "crypto/base/fd.h"
#include "crypto/base/json.h"

namespace cstl::test {

namespace {
constexpr int64_t kDay = 86400;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "machine: %s\n", what.c_str());
  std::abort();
}

template <typename T>
T need(Result<T> result, const char* what) {
  if (!result.ok()) give_up(std::string(what) + ": " + code_name(result.code()) + " at " + result.error().site);
  return std::move(*result);
}

void need(Status status, const char* what) {
  if (!status.ok()) give_up(std::string(what) + ": " + code_name(status.code()) + " at " + status.error().site);
}

bool on_azure(Variant v) {
  return v == Variant::azure_sev_snp || v == Variant::azure_tdx || v == Variant::azure_trustedlaunch;
}
bool on_gcp(Variant v) { return v == Variant::gcp_sev_es || v == Variant::gcp_sev_snp; }
bool on_aws(Variant v) { return v == Variant::aws_nitro_tpm || v == Variant::aws_sev_snp; }

// A TPM per cloud, for all tests: making one takes a second. Its PCRs hold an image.
struct CloudTpm {
  std::unique_ptr<Swtpm> tpm = Swtpm::start();
  std::map<gcp::Technology, std::vector<uint8_t>> logs;
  std::array<Digest32, kPcrCount> pcrs{};

  void measure_image(std::optional<gcp::Technology> technology) {
    tpm->reset();
    auto device = need(tpm::Device::open(tpm->device()), "device");
    MeasuredLog log;
    if (technology) {
      std::vector<uint8_t> event(32);
      std::memcpy(event.data(), "GCE NonHostInfo", 16);
      event[16] = static_cast<uint8_t>(*technology);
      log.measure(*device, 0, 0x11, event);
      log.measure(*device, 0, 0x04, Bytes(std::vector<uint8_t>(4)));
    }
    log.measure(*device, 4, 0x0d, "image");
    log.measure(*device, 9, 0x0d, "initrd");
    logs[technology.value_or(gcp::Technology::none)] = log.bytes();
    pcrs = need(device->read_pcrs(), "pcrs");
  }

  static CloudTpm& azure() {
    static CloudTpm tpm;
    static bool made = (make_azure_ak(*tpm.tpm), true);
    (void)made;
    return tpm;
  }
  static CloudTpm& gcp() {
    static CloudTpm tpm;
    static bool made = (make_gce_template(*tpm.tpm), true);
    (void)made;
    return tpm;
  }
  static CloudTpm& other() {
    static CloudTpm tpm;
    return tpm;
  }
};

CloudAuthority& authority() {
  static CloudAuthority out("Cloud AK root");
  return out;
}
CloudAuthority& other_authority() {
  static CloudAuthority out("Another root");
  return out;
}
NitroHypervisor& hypervisor(bool other) {
  static NitroHypervisor good(authority()), bad(other_authority());
  return other ? bad : good;
}

class FakeDevice final : public tsm::ReportDevice {
 public:
  explicit FakeDevice(TsmFirmware firmware) : firmware_(std::move(firmware)) {}
  Result<tsm::Report> report(const Digest64& report_data) override {
    TsmAnswer answer = firmware_(report_data);
    if (answer.error != 0) return fail(Code::tee_failed, "fake.report", Origin::errno_value, answer.error);
    return tsm::Report{std::move(answer.outblob), std::move(answer.auxblob)};
  }

 private:
  TsmFirmware firmware_;
};

// What a host gives with an extended guest request.
std::vector<uint8_t> certificate_table(const std::vector<Der>& certificates, bool vlek) {
  const char* guids[] = {vlek ? "a8074bc2a25a483eaae639c045a0b8a1" : "63da758de6644564adc5f4b93be8accd",
                         "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a803495297433fb6014cd0ae"};
  std::vector<uint8_t> table, data;
  const size_t start = 24 * (certificates.size() + 1);
  auto u32 = [&table](size_t value) {
    for (int i = 0; i < 4; ++i) table.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  for (size_t i = 0; i < certificates.size(); ++i) {
    std::array<uint8_t, 16> guid{};
    need(from_hex(guids[i], guid), "guid");
    table.insert(table.end(), guid.begin(), guid.end());
    u32(start + data.size());
    u32(certificates[i].size());
    data.insert(data.end(), certificates[i].begin(), certificates[i].end());
  }
  table.resize(start);
  table.insert(table.end(), data.begin(), data.end());
  return table;
}
}  // namespace

OwnedEvidence OwnedEvidence::of(Bytes encoded) {
  Evidence e = need(Evidence::decode(encoded), "evidence");
  OwnedEvidence out;
  out.variant = e.variant;
  out.quote = e.quote.copy();
  out.signature = e.signature.copy();
  out.ak_public = e.ak_public.copy();
  out.ek_certificate = e.ek_certificate.copy();
  out.ek_chain = e.ek_chain.copy();
  out.pcr_values = e.pcr_values.copy();
  out.event_log = e.event_log.copy();
  out.merkle = e.merkle.copy();
  out.ak_certificate = e.ak_certificate.copy();
  out.tee_report = e.tee_report.copy();
  out.tee_certificates = e.tee_certificates.copy();
  out.tee_collateral = e.tee_collateral.copy();
  out.runtime_data = e.runtime_data.copy();
  out.ccel = e.ccel.copy();
  out.registers = e.registers.copy();
  return out;
}

std::vector<uint8_t> OwnedEvidence::encode() const {
  Evidence e;
  e.variant = variant;
  e.quote = quote;
  e.signature = signature;
  e.ak_public = ak_public;
  e.ek_certificate = ek_certificate;
  e.ek_chain = ek_chain;
  e.pcr_values = pcr_values;
  e.event_log = event_log;
  e.merkle = merkle;
  e.ak_certificate = ak_certificate;
  e.tee_report = tee_report;
  e.tee_certificates = tee_certificates;
  e.tee_collateral = tee_collateral;
  e.runtime_data = runtime_data;
  e.ccel = ccel;
  e.registers = registers;
  std::vector<uint8_t> out(e.encoded_size());
  need(e.encode(out).ok() ? success() : Status(fail(Code::too_long, "encode")), "encode");
  return out;
}

struct CloudMachine::State {
  std::string folder;
  CloudTpm* tpm = nullptr;
  std::unique_ptr<SnpChip> chip;
  std::unique_ptr<TdxPlatform> tdx;
  std::unique_ptr<MetadataServer> metadata;
  std::unique_ptr<TsmFolder> tsm;
  TsmFirmware firmware;
  aws::Documents documents;
  Digest48 rtmr3{};
};

int64_t CloudMachine::now() const { return time(nullptr); }

CloudMachine::CloudMachine(Variant kind, CloudFacts given, bool configfs)
    : variant(kind), facts(std::move(given)), state_(std::make_unique<State>()) {
  State& s = *state_;
  char pattern[] = "/tmp/cstl-cloud-XXXXXX";
  if (mkdtemp(pattern) == nullptr) give_up("no temporary folder");
  s.folder = pattern;

  set.id = variant_name(kind);
  set.variant = kind;
  set.not_before = now() - kDay;
  set.not_after = now() + kDay;
  set.roles = 1 << static_cast<unsigned>(Role::worker);
  paths.event_log = "";
  paths.ccel = "";
  paths.cluster_register = s.folder + "/register";

  std::optional<gcp::Technology> technology = facts.technology;
  if (on_gcp(kind) && !technology) {
    technology = kind == Variant::gcp_sev_snp ? gcp::Technology::sev_snp : gcp::Technology::sev_es;
  }
  if (has_tpm(kind)) {
    s.tpm = on_azure(kind) ? &CloudTpm::azure() : on_gcp(kind) ? &CloudTpm::gcp() : &CloudTpm::other();
    s.tpm->measure_image(technology);
    paths.tpm = s.tpm->tpm->device();
    paths.event_log = s.folder + "/log";
    need(write_file_durably(paths.event_log.c_str(), s.tpm->logs[technology.value_or(gcp::Technology::none)]), "log");
    for (uint8_t index : std::initializer_list<uint8_t>{4, 9, 11, 12}) {
      PcrReference pcr;
      pcr.index = index;
      pcr.component = index == 9 ? "initrd" : "";
      pcr.expected.push_back(s.tpm->pcrs[index]);
      set.pcrs.push_back(pcr);
    }
  }
  if (on_gcp(kind)) set.gcp.projects = {"cstl-test"};
  if (ak_root_of(kind) == AkRoot::ek) set.ek_roots = {s.tpm->tpm->root()};
  if (ak_root_of(kind) == AkRoot::certificate || ak_root_of(kind) == AkRoot::document) set.ak_roots = {authority().root()};

  if (has_snp(kind)) {
    const bool vlek = kind == Variant::aws_sev_snp;
    s.chip = std::make_unique<SnpChip>(snp::Product::milan, vlek ? snp::Signer::vlek : snp::Signer::vcek);
    snp::Reference reference;
    const Roots& roots = snp_test_roots().of[static_cast<size_t>(snp::Product::milan)];
    reference.roots.assign(roots.hashes, roots.hashes + roots.count);
    if (facts.other_snp_root) reference.roots = {Digest32{7}};
    reference.measurements = {s.chip->report().measurement};
    set.snp = reference;
  }
  if (has_tdx(kind)) {
    s.tdx = TdxPlatform::create();
    if (facts.tdx_platform) facts.tdx_platform(s.tdx->facts);
    tdx::Reference reference;
    reference.roots = {facts.other_tdx_root ? Digest32{7} : s.tdx->root()};
    const tdx::TdReport report = s.tdx->report();
    reference.mr_td = {report.mr_td};
    for (uint8_t i : std::initializer_list<uint8_t>{1, 2}) {
      tdx::RtmrReference rtmr;
      rtmr.index = i;
      rtmr.expected = {report.rtmr[i]};
      reference.rtmrs.push_back(rtmr);
    }
    if (has_tpm(kind)) reference.rtmrs.clear();
    set.tdx = reference;
    paths.collateral = s.folder + "/collateral";
    need(write_file_durably(paths.collateral.c_str(), s.tdx->stapled(now() - facts.collateral_age)), "collateral");
  }

  s.firmware = [this](const Digest64& asked) {
    State& state = *state_;
    Digest64 report_data = asked;
    if (facts.report_data) facts.report_data(report_data);
    TsmAnswer answer;
    if (has_snp(variant)) {
      snp::Report report = state.chip->report();
      report.report_data = report_data;
      if (facts.snp) facts.snp(report);
      answer.outblob = state.chip->sign(report);
      if (!facts.no_certificates) {
        answer.auxblob = certificate_table(state.chip->certificates(), variant == Variant::aws_sev_snp);
      }
    } else {
      tdx::TdReport report = state.tdx->report();
      report.report_data = report_data;
      report.rtmr[3] = state.rtmr3;
      if (facts.tdx) facts.tdx(report);
      answer.outblob = state.tdx->quote(report);
    }
    return answer;
  };
  if (configfs && (has_snp(kind) || has_tdx(kind)) && !on_azure(kind)) {
    s.tsm = TsmFolder::mount(has_snp(kind) ? tsm::kSevProvider : tsm::kTdxProvider, s.firmware);
    paths.configfs = s.tsm->path();
  }

  if (on_azure(kind)) {
    auto device = need(tpm::Device::open(paths.tpm), "device");
    tpm::IssueConfig config;
    config.event_log = "";
    config.ak = {tpm::AkChoice::persistent, 0x81000003};
    auto issuer = need(tpm::Issuer::create(*device, config), "issuer");
    const OwnedEvidence plain = OwnedEvidence::of(need(issuer->sign({Digest32{}}), "sign").front());
    const tpm::Public ak = need(tpm::Public::decode(plain.ak_public), "ak");
    if (kind == Variant::azure_trustedlaunch) {
      std::vector<uint8_t> certified = plain.ak_public;
      if (facts.other_ak_certified) certified.back() ^= 2;
      const tpm::Public key = need(tpm::Public::decode(certified), "ak");
      Der der = (facts.other_authority ? other_authority() : authority())
                    .issue("vm", spki_of(key), {}, facts.certificate_expired ? now() - kDay : kCloudValidUntil);
      der.resize(der.size() + 64);  // NV is larger than what it holds
      write_nv(*s.tpm->tpm, 0x01c101d0, der);
    } else {
      std::string data = azure_runtime_data(ak, "12345678-0000-0000-0000-000000000001");
      if (facts.runtime_data) facts.runtime_data(data);
      Digest64 report_data{};
      const Digest32 hash = need(sha256({data}), "hash");
      std::copy(hash.begin(), hash.end(), report_data.begin());
      std::vector<uint8_t> report(1024);
      if (kind == Variant::azure_sev_snp) report = s.firmware(report_data).outblob;
      else std::copy(report_data.begin(), report_data.end(), report.begin() + 128);  // REPORTDATA of a TDREPORT
      std::vector<uint8_t> hcl = hcl_report(kind == Variant::azure_tdx ? 4 : 2, report, data);
      if (facts.hcl) facts.hcl(hcl);
      write_nv(*s.tpm->tpm, 0x01400001, hcl);
    }
  }
  if (on_gcp(kind)) {
    auto device = need(tpm::Device::open(paths.tpm), "device");
    tpm::IssueConfig config;
    config.event_log = "";
    config.ak = {tpm::AkChoice::stored, 0x01c10003};
    auto issuer = need(tpm::Issuer::create(*device, config), "issuer");
    const OwnedEvidence plain = OwnedEvidence::of(need(issuer->sign({Digest32{}}), "sign").front());
    tpm::Public ak = need(tpm::Public::decode(plain.ak_public), "ak");
    CloudAuthority other_key("key");
    const Der instance = gce_instance("us-central1-a", facts.project, 1234567890, "worker-0", 42, facts.production);
    Der spki = spki_of(ak);
    if (facts.other_ak_certified) spki = need(certificate_key(other_key.root()), "key").spki;
    const Der der = (facts.other_authority ? other_authority() : authority())
                        .issue("worker-0", spki, gce_extension(instance), facts.certificate_expired ? now() - kDay : kCloudValidUntil);
    write_nv(*s.tpm->tpm, 0x01c10002, der);
  }
  if (kind == Variant::azure_tdx || kind == Variant::azure_sev_snp) {
    s.metadata = MetadataServer::start([this](const std::string& method, const std::string& path, const std::string& body) {
      MetadataAnswer answer;
      if (method == "GET" && path == "/metadata/THIM/amd/certification" && variant == Variant::azure_sev_snp &&
          !facts.no_certificates) {
        const std::vector<Der>& list = state_->chip->certificates();
        nlohmann::json json = {{"vcekCert", to_pem(list[0], "CERTIFICATE")},
                               {"certificateChain", to_pem(list[1], "CERTIFICATE") + to_pem(list[2], "CERTIFICATE")},
                               {"tcbm", "00"}};
        return MetadataAnswer{200, json.dump()};
      }
      if (method == "POST" && path == "/acc/tdquote" && variant == Variant::azure_tdx) {
        auto json = parse_json(body, 64 * 1024);
        if (!json.ok() || !json->contains("report")) return MetadataAnswer{400, ""};
        auto report = from_base64url((*json)["report"].get_ref<const std::string&>(), 4096);
        if (!report.ok() || report->size() != 1024) return MetadataAnswer{400, ""};
        Digest64 report_data{};
        std::copy(report->begin() + 128, report->begin() + 192, report_data.begin());
        return MetadataAnswer{200, "{\"quote\":\"" + to_base64url(state_->firmware(report_data).outblob) + "\"}"};
      }
      return answer;
    });
    paths.metadata = s.metadata->base();
  }
  if (on_aws(kind)) {
    NitroPcr pcr;
    pcr.index = 4;
    pcr.expected = {Digest48{4}};
    set.nitro_pcrs = {pcr};
    s.documents = [this](const Digest32& qualifier, Bytes user_data) -> Result<std::vector<uint8_t>> {
      NitroHypervisor::Facts document;
      document.pcrs[4] = Digest48{4};
      document.nonce = Bytes(qualifier).copy();
      document.user_data = user_data.copy();
      if (facts.nitro) facts.nitro(document);
      return hypervisor(facts.other_authority).document(document);
    };
  }
}

CloudMachine::~CloudMachine() {
  attester.reset();
  platform.reset();
  state_->tsm.reset();
  std::error_code ignored;
  std::filesystem::remove_all(state_->folder, ignored);
}

PlatformDevices CloudMachine::devices() const {
  PlatformDevices out;
  out.documents = state_->documents;
  out.rtmr3 = [s = state_.get()](const Digest48* event) -> Result<Digest48> {
    if (event != nullptr) {
      TRY_LET(s->rtmr3, sha384({s->rtmr3, *event}));
    }
    return s->rtmr3;
  };
  if (state_->tsm) return out;  // the kernel's way
  out.reports = [this](Variant) -> Result<std::unique_ptr<tsm::ReportDevice>> {
    return std::unique_ptr<tsm::ReportDevice>(std::make_unique<FakeDevice>(state_->firmware));
  };
  return out;
}

Status CloudMachine::open() {
  TRY_LET(platform, Platform::open(variant, paths, devices()));
  TRY_LET(attester, platform->attester());
  return success();
}

Result<std::vector<uint8_t>> CloudMachine::evidence(const Digest32& binding) {
  if (!attester) TRY(open());
  TRY_LET(EvidenceList list, attester->sign({binding}));
  return list.front();
}

}  // namespace cstl::test
