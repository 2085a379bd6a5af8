// Makes inputs of SEV-SNP verification, verifies them, and writes both down for another verifier to do the same:
//   snp_cases CASES VERDICTS
// CASES: ASK, ASVK, ARK of a made-up Milan and Genoa; then per case u8 authority (0 AMD's, 1 made-up), leaf, report;
// each blob u32 length (little endian) and bytes; a leaf of length 0 is the one before. VERDICTS: a line per case, "ok"
// or the code's name, then what differs on purpose (below), then what the case is.
//
// The mutations of the real report are the same in every run. The made-up keys are new each time; what is done with
// them is the same.
#include <cstdio>
#include <cstdlib>
#include <random>

#include "crypto/base/fd.h"
#include "crypto/x509.h"
#include "tests/harness/snp_platform.h"

using namespace cstl;
using namespace cstl::snp;
using namespace cstl::test;

namespace {
constexpr int64_t kNow = 1767225600;  // 2026-01-01; the other verifier has the same

// Where the verifiers are known to differ, and why we do as we do.
constexpr const char* kSame = "-";
// go-sev-guest 0.15 refuses versions after 5; AMD adds fields where reserved ones were, and never moves any.
constexpr const char* kNewer = "newer-version";
// It skips what follows the report.
constexpr const char* kTrailing = "trailing";
// It takes the mitigation vectors for fields of every version; before version 5 they are reserved.
constexpr const char* kMitigations = "mitigations";
// It compares no VMPL unless told to; a report with one over 3 is not a guest's.
constexpr const char* kVmpl = "vmpl";
// It knows steppings by name, we products; and no Bergamo or Siena.
constexpr const char* kStepping = "stepping", *kModel = "model";
// It demands REPORTED_TCB <= CURRENT_TCB and COMMITTED_TCB <= CURRENT_TCB, which the firmware guarantees.
constexpr const char* kOrder = "tcb-order";
// It compares the committed firmware's version with the current one's, likewise.
constexpr const char* kFirmware = "firmware-order";

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "snp_cases: %s\n", what);
  std::exit(1);
}

class Cases {
 public:
  Cases(const char* cases, const char* verdicts)
      : cases_(std::fopen(cases, "wb")), verdicts_(std::fopen(verdicts, "w")) {
    if (cases_ == nullptr || verdicts_ == nullptr) give_up("cannot write");
    for (Product product : {Product::milan, Product::genoa}) {
      const SnpAuthority& authority = SnpAuthority::of(product);
      for (const Der* der : {&authority.ask, &authority.asvk, &authority.ark}) blob(*der);
    }
  }
  ~Cases() {
    if (std::fclose(cases_) != 0 || std::fclose(verdicts_) != 0) give_up("cannot write");
  }
  Cases(const Cases&) = delete;
  Cases& operator=(const Cases&) = delete;

  // The certificates of the cases that follow.
  void use(const std::vector<Der>& certificates, bool made_up) {
    certificates_ = certificates;
    policy_.roots = made_up ? snp_test_roots() : amd_roots();
    policy_.now = kNow;
    made_up_ = made_up;
    fresh_ = true;
    ReportStep step = ReportStep::form;
    leaf_ = verify_leaf(views(certificates_), policy_, step);
  }

  void add(const char* what, Bytes report, const char* differs = kSame) {
    ReportStep step = ReportStep::form;
    auto verified = leaf_->ok() ? verify_report(report, **leaf_, kNow, {}, step)
                                : verify_report(report, views(certificates_), policy_, {}, step);
    std::fputc(made_up_ ? 1 : 0, cases_);
    blob(fresh_ ? Bytes(certificates_[0]) : Bytes());
    blob(report);
    fresh_ = false;
    std::fprintf(verdicts_, "%s %s %s\n", verified.ok() ? "ok" : code_name(verified.code()), differs, what);
  }

 private:
  void blob(Bytes bytes) {
    auto size = static_cast<uint32_t>(bytes.size());
    for (unsigned i = 0; i < 4; ++i) std::fputc(static_cast<int>(size >> 8 * i & 0xff), cases_);
    if (std::fwrite(bytes.data(), 1, bytes.size(), cases_) != bytes.size()) give_up("cannot write");
  }
  FILE* cases_;
  FILE* verdicts_;
  std::vector<Der> certificates_;
  std::optional<Result<VerifiedLeaf>> leaf_;
  VerifyPolicy policy_;
  bool made_up_ = false, fresh_ = true;
};

Der package_file(const std::string& name) {
  const char* root = std::getenv("CSTL_EVIDENCE");
  if (root == nullptr) give_up("set CSTL_EVIDENCE to what tools/deps/evidence.sh --print-prefix prints");
  auto file = read_file(
      (std::string(root) + "/usr/share/gocode/src/github.com/google/go-sev-guest/verify/" + name).c_str(), 65536);
  if (!file.ok()) give_up("the package with the evidence is not there");
  return *file;
}

using Random = std::mt19937;  // the standard says what it gives for a seed
size_t below(Random& random, size_t limit) { return random() % limit; }

Der mutated(const Der& from, Random& random) {
  Der out = from;
  for (size_t n = 1 + below(random, 4); n > 0; --n) {
    size_t at = below(random, out.size());
    switch (below(random, 4)) {
      case 0: out[at] = static_cast<uint8_t>(out[at] ^ 1 << below(random, 8)); break;
      case 1: out[at] = static_cast<uint8_t>(random()); break;
      case 2: out[at] = below(random, 2) != 0 ? 0xff : 0; break;
      default: std::swap(out[at], out[below(random, out.size())]);
    }
  }
  return out;
}

void real_report(Cases& cases) {
  Der report = package_file("testdata/attestation.bin");
  std::vector<Der> certificates{package_file("testdata/vcek.testcer")};
  auto chain = certificates_from_file(package_file("trust/ask_ark_milan.pem"));
  if (!chain.ok()) give_up("no chain");
  certificates.insert(certificates.end(), chain->begin(), chain->end());
  cases.use(certificates, false);
  cases.add("the real report", report);
  for (size_t bit = 0; bit < 8 * report.size(); ++bit) {
    Der flipped = report;
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ 1 << bit % 8);
    cases.add("one bit of the real report", flipped);
  }
  for (size_t size = 0; size < report.size(); size += 37) cases.add("a cut", Bytes(report).first(size));
  Der longer = report;
  longer.push_back(0);
  cases.add("a byte more", longer, kTrailing);
  Random random(20260101);
  for (int i = 0; i < 1500; ++i) cases.add("a mutated report", mutated(report, random));
  for (int i = 0; i < 1500; ++i) {
    std::vector<Der> other = certificates;
    other[0] = mutated(other[0], random);
    cases.use(other, false);
    cases.add("a mutated certificate", report);
  }
}

struct Change {
  const char* what;
  void (*change)(Report&);
  const char* differs = kSame;
};

// Signed by a chip, so that nothing but the change is wrong.
void signed_reports(Cases& cases, Product product, Signer signer) {
  SnpChip chip(product, signer);
  cases.use(chip.certificates(), true);
  const Change changes[] = {
      {"as it is", [](Report&) {}},
      {"version 0", [](Report& r) { r.version = 0; }},
      {"version 1", [](Report& r) { r.version = 1; }},
      {"version 2", [](Report& r) { r.version = 2; }},
      {"version 4", [](Report& r) { r.version = 4; }},
      {"version 5", [](Report& r) { r.version = 5; }},
      {"version 5 with mitigations",
       [](Report& r) {
         r.version = 5;
         r.launch_mitigations = r.current_mitigations = 7;
       }},
      {"version 6", [](Report& r) { r.version = 6; }, kNewer},
      {"the other product", [](Report& r) { r.cpuid_model ^= 0x10; }},
      {"another family", [](Report& r) { r.cpuid_family = 0x17; }},
      {"Turin",
       [](Report& r) {
         r.cpuid_family = 0x1a;
         r.cpuid_model = 2;
       }},
      {"another stepping", [](Report& r) { r.cpuid_stepping = 2; }},
      {"the other signing key",
       [](Report& r) { r.signing_key = r.signing_key == Signer::vcek ? Signer::vlek : Signer::vcek; }},
      {"signed by none", [](Report& r) { r.signing_key = Signer::none; }},
      {"a reserved signing key", [](Report& r) { r.signing_key = static_cast<Signer>(3); }},
      {"a masked chip key", [](Report& r) { r.chip_key_masked = true; }},
      {"an author key", [](Report& r) { r.author_key = true; }},
      {"policy bit 17", [](Report& r) { r.policy.raw &= ~(1ull << 17); }},
      {"policy bit 26", [](Report& r) { r.policy.raw |= 1ull << 26; }},
      {"policy bit 63", [](Report& r) { r.policy.raw |= 1ull << 63; }},
      {"every policy", [](Report& r) { r.policy.raw = 0x3ffffff; }},
      {"debug", [](Report& r) { r.policy.raw |= 1 << 19; }},
      {"every platform bit", [](Report& r) { r.platform.raw = ~0ull; }},
      {"VMPL 1", [](Report& r) { r.vmpl = 1; }},
      {"VMPL 3", [](Report& r) { r.vmpl = 3; }},
      {"VMPL 4", [](Report& r) { r.vmpl = 4; }, kVmpl},
      {"the host's report", [](Report& r) { r.vmpl = 0xffffffff; }, kVmpl},
      {"a lower reported TCB", [](Report& r) { r.reported_tcb -= 1; }},
      {"a higher reported TCB", [](Report& r) { r.reported_tcb += 1ull << 48; }},
      {"a reserved TCB byte", [](Report& r) { r.reported_tcb |= 1ull << 24; }},
      {"a lower launch TCB", [](Report& r) { r.launch_tcb = 0; }},
      {"a lower committed TCB", [](Report& r) { r.committed_tcb = 0; }},
      {"a lower current TCB", [](Report& r) { r.current_tcb = 0; }, kOrder},
      {"a higher committed TCB", [](Report& r) { r.committed_tcb += 1; }, kOrder},
      {"newer committed firmware", [](Report& r) { r.committed.build = 200; }, kFirmware},
      {"a masked chip", [](Report& r) { r.chip_id = {}; }},
      {"other data", [](Report& r) { r.report_data.fill(1); }},
      {"a guest's version", [](Report& r) { r.guest_svn = 0xffffffff; }},
  };
  for (const Change& change : changes) {
    Report report = chip.report();
    change.change(report);
    cases.add(change.what, chip.sign(report), change.differs);
  }
  Report report = chip.report();
  report.chip_id[3] ^= 1;
  cases.add("another chip", chip.sign(report));
  report = chip.report();
  report.cpuid_model = 0xa0;
  cases.add("Bergamo", chip.sign(report), product == Product::genoa ? kModel : kSame);
  Der raw = SnpChip::encode(chip.report());
  raw[0x1f8] = 1;
  chip.sign_raw(&raw);
  cases.add("mitigations in version 3", raw, kMitigations);
  for (size_t at : {0x34, 0x49, 0x4b, 0x4c, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x208, 0x29f}) {
    raw = SnpChip::encode(chip.report());
    raw[at] = static_cast<uint8_t>(raw[at] + 1);
    chip.sign_raw(&raw);
    cases.add("a reserved byte, or another algorithm", raw);
  }
  for (size_t at : {0x2a0 + 48, 0x2a0 + 71, 0x2a0 + 72 + 48, 0x2a0 + 144, 0x49f}) {
    raw = chip.sign(chip.report());
    raw[at] = 1;
    cases.add("a byte behind r, s or the signature", raw);
  }
}

void leaves(Cases& cases, Product product, Signer signer) {
  struct LeafChange {
    const char* what;
    void (*change)(SnpLeaf&);
    const char* differs = kSame;
  };
  const LeafChange changes[] = {
      {"leaf without structure version", [](SnpLeaf& l) { l.leave_out = "1"; }},
      {"leaf without product", [](SnpLeaf& l) { l.leave_out = "2"; }},
      {"leaf without bootloader level", [](SnpLeaf& l) { l.leave_out = "3.1"; }},
      {"leaf without reserved level", [](SnpLeaf& l) { l.leave_out = "3.5"; }},
      {"leaf without microcode level", [](SnpLeaf& l) { l.leave_out = "3.8"; }},
      {"leaf with FMC", [](SnpLeaf& l) { l.fmc = true; }},
      {"leaf of both kinds", [](SnpLeaf& l) { l.hwid.resize(64), l.csp_id = "cloud"; }},
      {"leaf of no kind", [](SnpLeaf& l) { l.hwid.clear(), l.csp_id.clear(); }},
      {"leaf with another subject", [](SnpLeaf& l) { l.subject = "SEV-VXEK"; }},
      {"leaf with a level over 127", [](SnpLeaf& l) { l.tcb.tee = 200; }},
      {"leaf with microcode over 127", [](SnpLeaf& l) { l.tcb.microcode = 255; }},
      {"expired leaf", [](SnpLeaf& l) { l.not_after = kNow - 1; }},
      {"leaf of tomorrow", [](SnpLeaf& l) { l.not_before = kNow + 1; }},
      {"leaf that ends now", [](SnpLeaf& l) { l.not_after = kNow; }},
      {"leaf of Milan-B0", [](SnpLeaf& l) { l.product_name = "Milan-B0"; }},
      {"leaf of another stepping", [](SnpLeaf& l) { l.product_name = std::string(product_name(l.issuer)) + "-B7"; },
       kStepping},
  };
  for (const LeafChange& change : changes) {
    SnpLeaf leaf(product, signer);
    change.change(leaf);
    SnpChip chip(leaf);
    cases.use(chip.certificates(), true);
    for (uint32_t version : {2u, 3u}) {
      Report report = chip.report();
      report.version = version;
      // From version 3 on both believe CPUID, and no name; a VLEK's has no stepping, and both want none in version 2.
      const char* differs = version == 2 ? change.differs : kSame;
      if (signer == Signer::vlek && version == 2 && std::string(change.what) == "leaf of Milan-B0" &&
          product == Product::milan)
        differs = kStepping;
      cases.add(change.what, chip.sign(report), differs);
    }
  }
}
}  // namespace

int main(int count, char** words) {
  if (count != 3) give_up("usage: snp_cases CASES VERDICTS");
  Cases cases(words[1], words[2]);
  real_report(cases);
  for (Product product : {Product::milan, Product::genoa}) {
    for (Signer signer : {Signer::vcek, Signer::vlek}) {
      signed_reports(cases, product, signer);
      leaves(cases, product, signer);
    }
  }
  return 0;
}
