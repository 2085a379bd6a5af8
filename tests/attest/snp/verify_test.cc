// The real report and its VCEK come from a Debian package (tools/deps/evidence.sh); CSTL_EVIDENCE names where it is.
// The rest comes from a made-up AMD (tests/harness/snp_platform.h), through the same verification with other roots
// pinned.
#include "attest/snp/verify.h"

#include <doctest/doctest.h>

#include "crypto/base/fd.h"
#include "crypto/x509.h"
#include "tests/harness/snp_platform.h"

using namespace cstl;
using namespace cstl::snp;
using namespace cstl::test;

namespace {
constexpr int64_t kNow = 1767225600;  // 2026-01-01, inside the real VCEK's validity

Der package_file(const std::string& name) {
  const char* root = std::getenv("CSTL_EVIDENCE");
  REQUIRE_MESSAGE(root != nullptr, "set CSTL_EVIDENCE to what tools/deps/evidence.sh --print-prefix prints");
  auto file = read_file(
      (std::string(root) + "/usr/share/gocode/src/github.com/google/go-sev-guest/verify/" + name).c_str(), 65536);
  REQUIRE(file.ok());
  return *file;
}

struct Real {
  Der report = package_file("testdata/attestation.bin");
  std::vector<Der> certificates{package_file("testdata/vcek.testcer")};
  Real() {
    auto chain = certificates_from_file(package_file("trust/ask_ark_milan.pem"));
    REQUIRE(chain.ok());
    for (Der& der : *chain) certificates.push_back(std::move(der));
  }
};

struct Verdict {
  Code code;
  ReportStep step;
};

Verdict verify(Bytes report, const std::vector<Der>& certificates, VerifyPolicy policy, Bytes data = {}) {
  ReportStep step = ReportStep::form;
  Code code = verify_report(report, views(certificates), policy, data, step).code();
  return {code, step};
}

VerifyPolicy made_up(int64_t now = kNow) {
  VerifyPolicy policy;
  policy.roots = snp_test_roots();
  policy.now = now;
  return policy;
}

VerifyPolicy amd(int64_t now = kNow) {
  VerifyPolicy policy;
  policy.now = now;
  return policy;
}

// Where a flipped byte is noticed before the signature: form and the comparisons with the leaf.
Code code_of_flip(size_t byte, int bit) {
  if (byte < 4) {
    if (byte == 0 && bit == 1) return Code::snp_report_version;       // 2 becomes 0
    return Code::snp_product;                                         // a later version: CPUID is read, and unknown
  }
  if (byte >= 8 && byte < 16) {
    if (byte == 10 && bit == 1) return Code::snp_report_malformed;    // policy bit 17
    if (byte > 11 || (byte == 11 && bit >= 2)) return Code::snp_report_malformed;
    return Code::snp_signature;
  }
  if (byte >= 0x34 && byte < 0x38) return Code::snp_report_unsigned;
  if (byte == 0x48)
    return bit < 2 ? Code::snp_signature : bit == 2 ? Code::snp_signing_key : Code::snp_report_malformed;
  if (byte > 0x48 && byte < 0x50) return Code::snp_report_malformed;
  if (byte >= 0x180 && byte < 0x188) return Code::snp_tcb_mismatch;
  if (byte >= 0x188 && byte < 0x1a0) return Code::snp_report_malformed;
  if (byte >= 0x1a0 && byte < 0x1e0) return Code::snp_chip_id;
  if (byte == 0x1eb || byte == 0x1ef || byte >= 0x1f8) return Code::snp_report_malformed;
  return Code::snp_signature;
}
}  // namespace

TEST_CASE("the real report verifies with its VCEK and AMD's pinned root") {
  Real real;
  ReportStep step = ReportStep::form;
  Digest64 data{1, 2, 3, 4, 5};
  auto verified = verify_report(real.report, views(real.certificates), amd(), data, step);
  REQUIRE(verified.ok());
  CHECK(step == ReportStep::done);
  CHECK(verified->bound());
  CHECK(verified->product() == Product::milan);
  CHECK(verified->report().version == 2);
  CHECK(verified->report().policy.debug());
  CHECK(verified->report().vmpl == 0);
  CHECK(verified->reported_tcb().text() == "bootloader 2, tee 0, snp 5, microcode 68");
  CHECK(verified->leaf().kind() == Signer::vcek);
  CHECK(verified->chip_known());
  CHECK(verified->chip_id() == verified->report().chip_id);
  CHECK(to_hex(verified->report().measurement).substr(0, 16) == "b07af9620f3b839b");
  CHECK(verified->leaf().not_before() == 1663980928);  // 2022-09-24T00:55:28Z
  CHECK(verified->leaf().not_after() == 1884905728);   // 2029-09-24T00:55:28Z
  CHECK_FALSE(verified->leaf().crl_checked());
}

TEST_CASE("the real report is refused at another time, with another root, with other data") {
  Real real;
  CHECK(verify(real.report, real.certificates, amd(1663980927)).code == Code::certificate_not_yet_valid);
  CHECK(verify(real.report, real.certificates, amd(1884905729)).code == Code::certificate_expired);
  CHECK(verify(real.report, real.certificates, amd(0)).code == Code::certificate_not_yet_valid);
  CHECK(verify(real.report, real.certificates, made_up()).code == Code::snp_chain);
  CHECK(verify(real.report, {real.certificates[0]}, amd()).code == Code::snp_chain);
  CHECK(verify(real.report, {}, amd()).code == Code::snp_certificate_missing);
  CHECK(verify(real.report, {real.certificates[1], real.certificates[2]}, amd()).code ==
        Code::snp_certificate_malformed);
  CHECK(verify(real.report, real.certificates, amd(), Bytes(Digest64{})).code == Code::snp_report_data);
  CHECK(verify(real.report, real.certificates, amd(), Bytes(Digest32{1, 2, 3, 4, 5})).code == Code::ok);
  CHECK(verify(real.report, real.certificates, amd(), Bytes("short")).code == Code::bad_value);
  VerifyPolicy strict = amd();
  strict.crl_required = true;
  Verdict missing = verify(real.report, real.certificates, strict);
  CHECK(missing.code == Code::crl_missing);
  CHECK(missing.step == ReportStep::revocation);
}

TEST_CASE("every flipped bit and every cut of the real report is refused with its code") {
  Real real;
  ReportStep step = ReportStep::form;
  auto leaf = verify_leaf(views(real.certificates), amd(), step);
  REQUIRE(leaf.ok());
  for (size_t i = 0; i < real.report.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Der flipped = real.report;
      flipped[i] = static_cast<uint8_t>(flipped[i] ^ 1 << bit);
      Code expected = code_of_flip(i, bit);
      if (i >= kReportSigned) {
        size_t at = i - kReportSigned;  // r, s: 48 bytes of value, 24 of zeros each; then zeros
        expected = at < 144 && at % 72 < 48 ? Code::snp_signature : Code::snp_report_malformed;
      }
      Code seen = verify_report(flipped, *leaf, kNow, {}, step).code();
      if (seen != expected) {
        INFO("byte ", i, " bit ", bit);
        CHECK(code_name(seen) == std::string(code_name(expected)));
      }
      REQUIRE(seen != Code::ok);
    }
  }
  for (size_t size = 0; size < real.report.size(); ++size)
    REQUIRE(verify_report(Bytes(real.report).first(size), *leaf, kNow, {}, step).code() == Code::truncated);
  Der longer = real.report;
  longer.push_back(0);
  CHECK(verify_report(longer, *leaf, kNow, {}, step).code() == Code::trailing);
}

TEST_CASE("no flipped bit of the real certificates goes unnoticed") {
  Real real;
  for (size_t which = 0; which < real.certificates.size(); ++which) {  // VCEK, ASK, ARK
    for (size_t i = 0; i < real.certificates[which].size(); ++i) {
      std::vector<Der> flipped = real.certificates;
      flipped[which][i] = static_cast<uint8_t>(flipped[which][i] ^ 1 << (i % 8));
      INFO("certificate ", which, " byte ", i);
      REQUIRE(verify(real.report, flipped, amd()).code != Code::ok);
    }
  }
}

TEST_CASE("AMD's published chains end in the pinned roots, product by product") {
  struct Row { const char* file; Product product; };
  for (Row row : {Row{"ask_ark_milan.pem", Product::milan}, Row{"ask_ark_milan_vlek.pem", Product::milan},
                  Row{"ask_ark_genoa.pem", Product::genoa}, Row{"ask_ark_genoa_vlek.pem", Product::genoa},
                  Row{"ask_ark_turin_vcek.pem", Product::turin}, Row{"ask_ark_turin_vlek.pem", Product::turin}}) {
    auto chain = certificates_from_file(package_file(std::string("trust/") + row.file));
    REQUIRE(chain.ok());
    REQUIRE(chain->size() == 2);
    for (Product product : {Product::milan, Product::genoa, Product::turin}) {
      INFO(row.file, " against ", product_name(product));
      const Roots& roots = amd_roots().of[static_cast<size_t>(product)];
      Code code = verify_chain((*chain)[0], {Bytes((*chain)[1])}, {roots.hashes, roots.count, kNow}).code();
      CHECK((code == Code::ok) == (product == row.product));
    }
  }
}

TEST_CASE("made-up chips of every product and both kinds of keys verify") {
  for (Product product : {Product::milan, Product::genoa, Product::turin}) {
    for (Signer kind : {Signer::vcek, Signer::vlek}) {
      SnpChip chip(product, kind);
      Report report = chip.report();
      for (uint32_t version : {2u, 3u, 4u, 5u, 6u, 1000u}) {
        INFO(product_name(product), " ", signer_name(kind), " version ", version);
        report.version = version;
        ReportStep step = ReportStep::form;
        auto verified =
            verify_report(chip.sign(report), views(chip.certificates()), made_up(), report.report_data, step);
        REQUIRE(verified.ok());
        CHECK(verified->product() == product);
        CHECK(verified->reported_tcb().snp == 22);
        CHECK(verified->reported_tcb().fmc == (product == Product::turin ? 1 : 0));
        CHECK(verified->leaf().csp_id() == (kind == Signer::vlek ? "Example Cloud" : ""));
        CHECK(verified->chip_id() == report.chip_id);
      }
    }
  }
}

TEST_CASE("each lie of a signed report has its code") {
  SnpChip chip(Product::genoa);
  struct Row {
    const char* lie;
    Code code;
    ReportStep step;
    void (*tell)(Report&);
  };
  const Row rows[] = {
      {"an old version", Code::snp_report_version, ReportStep::form, [](Report& r) { r.version = 1; }},
      {"policy bit 17 is zero", Code::snp_report_malformed, ReportStep::form,
       [](Report& r) { r.policy.raw = 0x10000; }},
      {"a reserved policy bit", Code::snp_report_malformed, ReportStep::form,
       [](Report& r) { r.policy.raw |= 1ull << 40; }},
      {"signed by none", Code::snp_report_unsigned, ReportStep::form, [](Report& r) { r.signing_key = Signer::none; }},
      {"a reserved signing key", Code::snp_report_malformed, ReportStep::form,
       [](Report& r) { r.signing_key = static_cast<Signer>(4); }},
      {"a VLEK", Code::snp_signing_key, ReportStep::signing_key, [](Report& r) { r.signing_key = Signer::vlek; }},
      {"another processor", Code::snp_product, ReportStep::product, [](Report& r) { r.cpuid_model = 1; }},
      {"a processor that is not known", Code::snp_product, ReportStep::product,
       [](Report& r) { r.cpuid_family = 0x33; }},
      {"another chip", Code::snp_chip_id, ReportStep::chip_id, [](Report& r) { r.chip_id[63] ^= 1; }},
      {"another TCB", Code::snp_tcb_mismatch, ReportStep::tcb, [](Report& r) { r.reported_tcb -= 1; }},
      {"a reserved TCB byte", Code::snp_tcb_mismatch, ReportStep::tcb, [](Report& r) { r.reported_tcb |= 1 << 16; }},
      {"other data", Code::snp_report_data, ReportStep::report_data, [](Report& r) { r.report_data[0] = 1; }},
      {"the host's VMPL", Code::snp_vmpl, ReportStep::vmpl, [](Report& r) { r.vmpl = 0xffffffff; }},
  };
  for (const Row& row : rows) {
    INFO(row.lie);
    Report report = chip.report();
    row.tell(report);
    Verdict seen = verify(chip.sign(report), chip.certificates(), made_up(), Bytes(Digest64{}));
    CHECK(code_name(seen.code) == std::string(code_name(row.code)));
    CHECK(seen.step == row.step);
  }
  Report masked = chip.report();
  ChipId chip_id = masked.chip_id;
  masked.chip_id = {};
  ReportStep step = ReportStep::form;
  auto verified = verify_report(chip.sign(masked), views(chip.certificates()), made_up(), {}, step);
  REQUIRE(verified.ok());
  CHECK(verified->chip_known());
  CHECK(verified->chip_id() == chip_id);
  CHECK_FALSE(verified->bound());
  SnpChip cloud(Product::genoa, Signer::vlek);
  masked.signing_key = Signer::vlek;
  verified = verify_report(cloud.sign(masked), views(cloud.certificates()), made_up(), {}, step);
  REQUIRE(verified.ok());
  CHECK_FALSE(verified->chip_known());
}

TEST_CASE("version 2 believes the certificate's product name, later ones CPUID") {
  SnpLeaf leaf(Product::genoa);
  leaf.product_name = "Milan-B0";  // AMD made such ones
  SnpChip chip(leaf);
  Report report = chip.report();
  CHECK(verify(chip.sign(report), chip.certificates(), made_up()).code == Code::ok);
  report.version = 2;
  CHECK(verify(chip.sign(report), chip.certificates(), made_up()).code == Code::snp_product);
}

TEST_CASE("each lie of a certificate has its code") {
  struct Row {
    const char* lie;
    Code code;
    void (*tell)(SnpLeaf&);
  };
  const Row rows[] = {
      {"no structure version", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.leave_out = "1"; }},
      {"no product", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.leave_out = "2"; }},
      {"no bootloader level", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.leave_out = "3.1"; }},
      {"no reserved level", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.leave_out = "3.7"; }},
      {"no microcode level", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.leave_out = "3.8"; }},
      {"no FMC level", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.fmc = false; }},
      {"no hardware id", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.hwid.clear(); }},
      {"a hardware id of another size", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.hwid.resize(64); }},
      {"both kinds at once", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.csp_id = "cloud"; }},
      {"a level over 127", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.tcb.snp = 128; }},
      {"a reserved level", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.reserved[2] = 1; }},
      {"another subject", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.subject = "SEV-VLEK"; }},
      {"control bytes in the product", Code::snp_certificate_malformed, [](SnpLeaf& l) { l.product_name = "Turin\n"; }},
      {"expired", Code::certificate_expired, [](SnpLeaf& l) { l.not_after = kNow - 1; }},
      {"not yet valid", Code::certificate_not_yet_valid, [](SnpLeaf& l) { l.not_before = kNow + 1; }},
  };
  for (const Row& row : rows) {
    INFO(row.lie);
    SnpLeaf leaf(Product::turin);
    row.tell(leaf);
    SnpChip chip(leaf);
    CHECK(code_name(verify(chip.sign(chip.report()), chip.certificates(), made_up()).code) ==
          std::string(code_name(row.code)));
  }
  // The chain of another product, the intermediate of the other kind, another chip's key.
  SnpChip genoa(Product::genoa), other(Product::genoa);
  Der report = genoa.sign(genoa.report());
  std::vector<Der> certificates = genoa.certificates();
  certificates[1] = SnpAuthority::of(Product::milan).ask;
  certificates[2] = SnpAuthority::of(Product::milan).ark;
  CHECK(verify(report, certificates, made_up()).code == Code::snp_chain);
  certificates = genoa.certificates();
  certificates[1] = SnpAuthority::of(Product::genoa).asvk;
  CHECK(verify(report, certificates, made_up()).code == Code::snp_chain);
  Report claimed = other.report();
  claimed.chip_id = genoa.report().chip_id;
  CHECK(verify(other.sign(claimed), genoa.certificates(), made_up()).code == Code::snp_signature);
}

TEST_CASE("AMD's revocation list counts") {
  const SnpAuthority& amd_made_up = SnpAuthority::of(Product::turin);
  SnpChip chip(Product::turin);
  Der report = chip.sign(chip.report());
  Der fine = amd_made_up.crl({7}, kNow - 100, kNow + 100);
  Der revoked = amd_made_up.crl({7, SnpAuthority::kAskSerial}, kNow - 100, kNow + 100);
  Der other_key = amd_made_up.crl({SnpAuthority::kAsvkSerial}, kNow - 100, kNow + 100);
  Der old = amd_made_up.crl({}, kNow - 200, kNow - 100);
  Der early = amd_made_up.crl({}, kNow + 100, kNow + 200);
  Der foreign = SnpAuthority::of(Product::milan).crl({}, kNow - 100, kNow + 100);
  Der forged = fine;
  forged.back() ^= 1;
  Der cut(fine.begin(), fine.end() - 1);
  struct Row { const char* what; Der* crl; bool required; Code code; };
  for (const Row& row :
       {Row{"clean", &fine, true, Code::ok}, Row{"the ASK is revoked", &revoked, false, Code::certificate_revoked},
        Row{"the ASVK is revoked", &other_key, true, Code::ok}, Row{"old", &old, false, Code::crl_expired},
        Row{"early", &early, false, Code::crl_not_yet_valid},
        Row{"another product's", &foreign, true, Code::crl_missing},
        Row{"another product's, none needed", &foreign, false, Code::ok},
        Row{"forged", &forged, false, Code::crl_signature}, Row{"cut", &cut, false, Code::crl_malformed}}) {
    INFO(row.what);
    std::vector<Bytes> crls{Bytes(*row.crl)};
    VerifyPolicy policy = made_up();
    policy.crls = &crls;
    policy.crl_required = row.required;
    Verdict seen = verify(report, chip.certificates(), policy);
    CHECK(code_name(seen.code) == std::string(code_name(row.code)));
    CHECK(seen.step == (row.code == Code::ok ? ReportStep::done : ReportStep::revocation));
  }
  std::vector<Bytes> crls{Bytes(fine)};
  VerifyPolicy policy = made_up();
  policy.crls = &crls;
  ReportStep step = ReportStep::form;
  auto leaf = verify_leaf(views(chip.certificates()), policy, step);
  REQUIRE(leaf.ok());
  CHECK(leaf->crl_checked());
  CHECK(leaf->not_after() == kNow + 100);
  CHECK(verify_report(report, *leaf, kNow + 100, {}, step).code() == Code::ok);
  CHECK(verify_report(report, *leaf, kNow + 101, {}, step).code() == Code::certificate_expired);
  CHECK(verify_report(report, *leaf, kNow - 101, {}, step).code() == Code::certificate_not_yet_valid);
  SnpChip cloud(Product::turin, Signer::vlek);
  crls = {Bytes(other_key)};
  CHECK(verify(cloud.sign(cloud.report()), cloud.certificates(), policy).code == Code::certificate_revoked);
}

TEST_CASE("a list by somebody who did not sign the chain checks nothing") {
  SnpChip chip(Product::turin);
  const SnpAuthority& other = SnpAuthority::of(Product::milan);
  std::vector<Der> certificates = chip.certificates();
  certificates.push_back(other.ark);  // one too many, which no signature leads to
  Der list = other.crl({}, kNow - 100, kNow + 100);
  std::vector<Bytes> crls{Bytes(list)};
  VerifyPolicy policy = made_up();
  policy.crls = &crls;
  ReportStep step = ReportStep::form;
  auto leaf = verify_leaf(views(certificates), policy, step);
  REQUIRE(leaf.ok());
  CHECK_FALSE(leaf->crl_checked());
  CHECK(leaf->not_after() > kNow + 100);
}
