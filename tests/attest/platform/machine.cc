#include "tests/attest/platform/machine.h"

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
snp::Signer signer_of(Variant v) { return v == Variant::aws_sev_snp ? snp::Signer::vlek : snp::Signer::vcek; }
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

  // With the key that the cloud keeps in it.
  static std::unique_ptr<CloudTpm> of(Variant kind) {
    auto out = std::make_unique<CloudTpm>();
    if (on_azure(kind)) make_azure_ak(*out->tpm);
    if (on_gcp(kind)) make_gce_template(*out->tpm);
    return out;
  }
  static CloudTpm& azure() {
    static std::unique_ptr<CloudTpm> tpm = of(Variant::azure_tdx);
    return *tpm;
  }
  static CloudTpm& gcp() {
    static std::unique_ptr<CloudTpm> tpm = of(Variant::gcp_sev_es);
    return *tpm;
  }
  static CloudTpm& other() {
    static std::unique_ptr<CloudTpm> tpm = of(Variant::qemu_vtpm);
    return *tpm;
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

// The public area of the attestation key that the cloud put there.
std::vector<uint8_t> ak_of(const std::string& path, const tpm::AkChoice& choice) {
  auto device = need(tpm::Device::open(path), "device");
  tpm::IssueConfig config;
  config.event_log = "";
  config.ak = choice;
  auto issuer = need(tpm::Issuer::create(*device, config), "issuer");
  return OwnedEvidence::of(need(issuer->sign({Digest32{}}), "sign").front()).ak_public;
}

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
  std::unique_ptr<CloudTpm> own;
  CloudTpm* tpm = nullptr;
  std::unique_ptr<SnpChip> chip, other_chip;
  std::unique_ptr<TdxPlatform> tdx, other_tdx;
  std::unique_ptr<MetadataServer> metadata;
  std::unique_ptr<TsmFolder> tsm;
  aws::Documents documents;
  Digest48 rtmr3{};
};

int64_t CloudMachine::now() const { return time(nullptr); }

CloudMachine::CloudMachine(Variant kind, CloudFacts given, bool configfs, bool own_tpm)
    : variant(kind), state_(std::make_unique<State>()) {
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
  // Keys of their own, whatever the lie: the set always pins the honest ones.
  if (has_snp(kind)) {
    s.chip = std::make_unique<SnpChip>(snp::Product::milan, signer_of(kind));
  }
  if (has_tdx(kind)) s.tdx = TdxPlatform::create();
  // AMD's machines have an image with an item of Intel's, which must not get into the evidence.
  if (has_tdx(kind) || has_snp(kind)) paths.collateral = s.folder + "/collateral";
  if (has_snp(kind)) need(write_file_durably(paths.collateral.c_str(), std::string("\x20\0\0\0\1x", 6)), "collateral");
  change(std::move(given));

  if (has_tpm(kind)) {
    if (own_tpm) s.own = CloudTpm::of(kind);
    s.tpm = own_tpm          ? s.own.get()
            : on_azure(kind) ? &CloudTpm::azure()
            : on_gcp(kind)   ? &CloudTpm::gcp()
                             : &CloudTpm::other();
    paths.tpm = s.tpm->tpm->device();
    std::optional<gcp::Technology> technology = facts.technology;
    if (on_gcp(kind) && !technology) {
      technology = kind == Variant::gcp_sev_snp ? gcp::Technology::sev_snp : gcp::Technology::sev_es;
    }
    s.tpm->measure_image(technology);
    paths.event_log = s.folder + "/log";
    need(write_file_durably(paths.event_log.c_str(), s.tpm->logs[technology.value_or(gcp::Technology::none)]), "log");
    fill_nv();
  }
  describe();
  if (configfs && (has_snp(kind) || has_tdx(kind)) && !on_azure(kind)) {
    s.tsm = TsmFolder::mount(has_snp(kind) ? tsm::kSevProvider : tsm::kTdxProvider,
                             [this](const Digest64& report_data) { return report(report_data); });
    paths.configfs = s.tsm->path();
  }
  if (kind == Variant::azure_tdx || kind == Variant::azure_sev_snp) {
    using Text = const std::string&;
    s.metadata = MetadataServer::start([this](Text method, Text path, Text body) { return metadata(method, path, body); });
    paths.metadata = s.metadata->base();
  }
  if (on_aws(kind)) {
    s.documents = [this](const Digest32& qualifier, Bytes user_data) -> Result<std::vector<uint8_t>> {
      return document(qualifier, user_data);
    };
  }
}

// The set that accepts the honest machine.
void CloudMachine::describe() {
  State& s = *state_;
  if (has_tpm(variant)) {
    for (uint8_t index : std::initializer_list<uint8_t>{4, 9, 11, 12}) {
      PcrReference pcr;
      pcr.index = index;
      pcr.component = index == 9 ? "initrd" : "";
      pcr.expected.push_back(s.tpm->pcrs[index]);
      set.pcrs.push_back(pcr);
    }
  }
  const AkRoot root = ak_root_of(variant);
  if (on_gcp(variant)) set.gcp.projects = {"cstl-test"};
  if (root == AkRoot::ek) set.ek_roots = {s.tpm->tpm->root()};
  if (root == AkRoot::certificate || root == AkRoot::document) set.ak_roots = {authority().root()};
  if (on_aws(variant)) {
    NitroPcr pcr;
    pcr.index = 4;
    pcr.expected = {Digest48{4}};
    set.nitro_pcrs = {pcr};
  }
  if (has_snp(variant)) {
    snp::Reference reference;
    const Roots& roots = snp_test_roots().of[static_cast<size_t>(snp::Product::milan)];
    reference.roots.assign(roots.hashes, roots.hashes + roots.count);
    reference.measurements = {s.chip->report().measurement};
    set.snp = reference;
  }
  if (has_tdx(variant)) {
    tdx::Reference reference;
    reference.roots = {s.tdx->root()};
    const tdx::TdReport report = s.tdx->report();
    reference.mr_td = {report.mr_td};
    for (uint8_t i : std::initializer_list<uint8_t>{1, 2}) {
      if (has_tpm(variant)) break;
      tdx::RtmrReference rtmr;
      rtmr.index = i;
      rtmr.expected = {report.rtmr[i]};
      reference.rtmrs.push_back(rtmr);
    }
    set.tdx = reference;
  }
}

void CloudMachine::change(CloudFacts now_true) {
  facts = std::move(now_true);
  State& s = *state_;
  if (s.chip && facts.other_snp_root && !s.other_chip) {
    s.other_chip = std::make_unique<SnpChip>(snp::Product::genoa, signer_of(variant));
  }
  if (!s.tdx) return;
  if (facts.other_tdx_root && !s.other_tdx) s.other_tdx = TdxPlatform::create(2);
  s.tdx->facts = TdxFacts();
  if (facts.tdx_platform) facts.tdx_platform(s.tdx->facts);
  const std::vector<uint8_t> stapled = platform_of_intel().stapled(now() - facts.collateral_age);
  need(write_file_durably(paths.collateral.c_str(), stapled), "collateral");
}

const TdxPlatform& CloudMachine::platform_of_intel() const {
  return facts.other_tdx_root ? *state_->other_tdx : *state_->tdx;
}
const SnpChip& CloudMachine::chip() const { return facts.other_snp_root ? *state_->other_chip : *state_->chip; }

TsmAnswer CloudMachine::report(const Digest64& asked) const {
  Digest64 report_data = asked;
  if (facts.report_data) facts.report_data(report_data);
  TsmAnswer answer;
  if (has_snp(variant)) {
    snp::Report report = chip().report();
    report.report_data = report_data;
    report.measurement = state_->chip->report().measurement;
    if (facts.snp) facts.snp(report);
    answer.outblob = chip().sign(report);
    if (!facts.no_certificates) {
      answer.auxblob = certificate_table(chip().certificates(), signer_of(variant) == snp::Signer::vlek);
    }
  } else {
    tdx::TdReport report = platform_of_intel().report();
    report.report_data = report_data;
    report.rtmr[3] = state_->rtmr3;
    if (facts.tdx) facts.tdx(report);
    answer.outblob = platform_of_intel().quote(report);
  }
  return answer;
}

MetadataAnswer CloudMachine::metadata(const std::string& method, const std::string& path,
                                      const std::string& body) const {
  if (method == "GET" && path == "/metadata/THIM/amd/certification" && variant == Variant::azure_sev_snp &&
      !facts.no_certificates) {
    const std::vector<Der>& list = chip().certificates();
    nlohmann::json json = {{"vcekCert", to_pem(list[0], "CERTIFICATE")},
                           {"certificateChain", to_pem(list[1], "CERTIFICATE") + to_pem(list[2], "CERTIFICATE")},
                           {"tcbm", "00"}};
    return MetadataAnswer{200, json.dump()};
  }
  if (method == "POST" && path == "/acc/tdquote" && variant == Variant::azure_tdx) {
    auto json = parse_json(body, 64 * 1024);
    if (!json.ok() || !json->contains("report")) return MetadataAnswer{400, ""};
    auto report_text = from_base64url((*json)["report"].get_ref<const std::string&>(), 4096);
    if (!report_text.ok() || report_text->size() != 1024) return MetadataAnswer{400, ""};
    Digest64 report_data{};
    std::copy(report_text->begin() + 128, report_text->begin() + 192, report_data.begin());
    return MetadataAnswer{200, "{\"quote\":\"" + to_base64url(report(report_data).outblob) + "\"}"};
  }
  return MetadataAnswer{};
}

std::vector<uint8_t> CloudMachine::document(Bytes nonce, Bytes user_data) const {
  NitroHypervisor::Facts document;
  document.pcrs[4] = Digest48{4};
  document.nonce = nonce.copy();
  document.user_data = user_data.copy();
  if (facts.nitro) facts.nitro(document);
  return hypervisor(facts.other_authority).document(document);
}

Swtpm* CloudMachine::tpm() const { return state_->tpm == nullptr ? nullptr : state_->tpm->tpm.get(); }

void CloudMachine::fill_nv() {
  const CloudAuthority& signer = facts.other_authority ? other_authority() : authority();
  const int64_t not_after = facts.certificate_expired ? now() - kDay : kCloudValidUntil;
  if (!on_azure(variant) && !on_gcp(variant)) return;
  const tpm::AkChoice choice = on_azure(variant) ? tpm::AkChoice{tpm::AkChoice::persistent, 0x81000003}
                                                 : tpm::AkChoice{tpm::AkChoice::stored, 0x01c10003};
  const std::vector<uint8_t> public_area = ak_of(paths.tpm, choice);
  const tpm::Public ak = need(tpm::Public::decode(public_area), "ak");
  if (on_gcp(variant)) {
    CloudAuthority other_key("key");
    const Der instance = gce_instance("us-central1-a", facts.project, 1234567890, "worker-0", 42, facts.production);
    Der spki = spki_of(ak);
    if (facts.other_ak_certified) spki = need(certificate_key(other_key.root()), "key").spki;
    return write_nv(*tpm(), 0x01c10002, signer.issue("worker-0", spki, gce_extension(instance), not_after));
  }
  if (variant == Variant::azure_trustedlaunch) {
    std::vector<uint8_t> certified = public_area;
    if (facts.other_ak_certified) certified.back() ^= 2;
    Der der = signer.issue("vm", spki_of(need(tpm::Public::decode(certified), "ak")), {}, not_after);
    der.resize(der.size() + 64);  // NV is larger than what it holds
    return write_nv(*tpm(), 0x01c101d0, der);
  }
  std::string data = azure_runtime_data(ak, "12345678-0000-0000-0000-000000000001");
  if (facts.runtime_data) facts.runtime_data(data);
  Digest64 report_data{};
  const Digest32 hash = need(sha256({data}), "hash");
  std::copy(hash.begin(), hash.end(), report_data.begin());
  std::vector<uint8_t> inner(1024);
  if (variant == Variant::azure_sev_snp) inner = report(report_data).outblob;
  else std::copy(report_data.begin(), report_data.end(), inner.begin() + 128);  // REPORTDATA of a TDREPORT
  std::vector<uint8_t> hcl = hcl_report(variant == Variant::azure_tdx ? 4 : 2, inner, data);
  if (facts.hcl) facts.hcl(hcl);
  write_nv(*tpm(), 0x01400001, hcl);
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
    auto firmware = [this](const Digest64& report_data) { return report(report_data); };
    return std::unique_ptr<tsm::ReportDevice>(std::make_unique<FakeDevice>(firmware));
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
