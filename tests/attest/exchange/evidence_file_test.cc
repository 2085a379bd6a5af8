// The real report and quote come from Debian packages (tools/deps/evidence.sh); CSTL_EVIDENCE names where they are.
#include "attest/exchange/evidence_file.h"

#include <doctest/doctest.h>

#include "attest/exchange/describe.h"
#include "attest/reference/appraise_foreign.h"
#include "attest/tpm/structures.h"
#include "crypto/x509.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;

namespace {
constexpr int64_t kAtTime = 1767225600;  // 2026-01-01

Buffer package_file(const std::string& name) {
  const char* root = std::getenv("CSTL_EVIDENCE");
  REQUIRE_MESSAGE(root != nullptr, "set CSTL_EVIDENCE to what tools/deps/evidence.sh --print-prefix prints");
  auto file = read_file((std::string(root) + "/usr/share/gocode/src/github.com/google/" + name).c_str(), kMaxEvidenceFile);
  REQUIRE_MESSAGE(file.ok(), name);
  return *file;
}

Buffer snp_report() { return package_file("go-sev-guest/verify/testdata/attestation.bin"); }
Buffer tdx_quote() { return package_file("go-tdx-guest/testing/testdata/tdx_prod_quote_SPR_E4.dat"); }

Buffer joined(const Buffer& a, const Buffer& b) {
  Buffer out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

Code kind_of(const Buffer& input, FileKind* kind) {
  auto file = EvidenceFile::detect(input);
  if (file.ok()) *kind = file->kind;
  return file.code();
}

const Claim* claim(const Verdict& verdict, const std::string& name) {
  for (const Claim& entry : verdict.claims) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::string fact(const Description& description, const std::string& name) {
  for (const Fact& entry : description.facts) {
    if (entry.name == name) return entry.value;
  }
  return "(none)";
}

ReferenceValues values_of(const std::string& members) {
  std::string problem;
  std::string text = R"({"cstl": "reference-values/1", "sets": [{"id": "a", "not_before": "2020-01-01T00:00:00Z",
    "not_after": "2040-01-01T00:00:00Z", "roles": ["worker"], )" + members + "}]}";
  auto values = ReferenceValues::parse(text, kAtTime, &problem);
  REQUIRE_MESSAGE(values.ok(), problem);
  return *values;
}

// As certificates travel in evidence.
void put_certificate(Buffer& list, const Buffer& der) {
  list.push_back(static_cast<uint8_t>(der.size() >> 8));
  list.push_back(static_cast<uint8_t>(der.size()));
  list.insert(list.end(), der.begin(), der.end());
}

Buffer snp_certificates() {
  Buffer out;
  put_certificate(out, package_file("go-sev-guest/verify/testdata/vcek.testcer"));
  auto chain = certificates_from_file(package_file("go-sev-guest/verify/trust/ask_ark_milan.pem"));
  REQUIRE(chain.ok());
  for (const Buffer& der : *chain) put_certificate(out, der);
  return out;
}
}  // namespace

TEST_CASE("files are told apart by what is in them") {
  Buffer report = snp_report(), quote = tdx_quote();
  REQUIRE(report.size() >= 1184);
  report.resize(1184);
  Buffer answer = joined({0, 0, 0, 0, 0xa0, 4, 0, 0}, Buffer(24));  // status 0, 1184 bytes
  SavedEvidence saved{kAtTime, test_binding(), {}};
  Buffer evidence = Parts::of("ecc").encode();
  saved.evidence = evidence;
  struct Row {
    const char* name;
    Buffer input;
    FileKind kind;
  };
  const Row rows[] = {
      {"evidence of our own", evidence, FileKind::evidence},
      {"the same as it is saved", saved.encode(), FileKind::saved},
      {"an SEV-SNP report", report, FileKind::snp_report},
      {"the same in the kernel's answer", joined(answer, report), FileKind::snp_report},
      {"the same in the kernel's buffer", joined(joined(answer, report), Buffer(4000 - 1184)), FileKind::snp_report},
      {"the same before an empty certificate table", joined(report, Buffer(24)), FileKind::snp_report},
      {"a TDX quote", quote, FileKind::tdx_quote},
      {"the same in a larger buffer", joined(quote, Buffer(100)), FileKind::tdx_quote},
      {"a TPM quote", Parts::of("ecc").quote, FileKind::tpm_attest},
      {"an event log", load("boot/eventlog.bin"), FileKind::event_log},
      {"a certificate, DER", load("tpm/ek.der"), FileKind::certificates},
      {"certificates, PEM", package_file("go-sev-guest/verify/trust/ask_ark_milan.pem"), FileKind::certificates},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    FileKind kind = FileKind::certificates;
    CHECK(named(kind_of(row.input, &kind)) == "ok");
    CHECK(kind == row.kind);
    auto file = EvidenceFile::detect(row.input);
    auto description = file.ok() ? describe(*file) : Result<Description>(file.error());
    REQUIRE_MESSAGE(description.ok(), code_name(description.code()));
    CHECK(description->to_text().find(file_kind_name(kind)) == 0);
    CHECK(description->to_json()["facts"].size() == description->facts.size());
  }
}

TEST_CASE("what is none of them is refused") {
  FileKind kind{};
  for (const Buffer& input : {Buffer(), Buffer(10), Buffer(1184), Buffer(5000, 0xff), Bytes("hello").copy()}) {
    CHECK(kind_of(input, &kind) == Code::evidence_unknown);
  }
  CHECK(kind_of(Buffer(kMaxEvidenceFile + 1), &kind) == Code::too_long);
  Buffer report = snp_report();
  report.resize(1184);
  CHECK(kind_of(joined(report, {1, 2, 3}), &kind) == Code::evidence_unknown);
}

TEST_CASE("saved evidence reads back, and is refused when it is cut or longer") {
  Buffer evidence = Parts::of("ecc").encode();
  SavedEvidence saved{kAtTime, test_binding(), evidence};
  Buffer encoded = saved.encode();
  auto again = SavedEvidence::decode(encoded);
  REQUIRE(again.ok());
  CHECK(again->saved_at == kAtTime);
  CHECK(again->binding == test_binding());
  CHECK(equal(again->evidence, evidence));
  for (size_t size : {size_t{0}, size_t{15}, size_t{16}, size_t{60}, encoded.size() - 1}) {
    CHECK(!SavedEvidence::decode(Bytes(encoded).first(size)).ok());
  }
  CHECK(SavedEvidence::decode(joined(encoded, {0})).code() == Code::trailing);
}

TEST_CASE("a report and a quote are explained field by field") {
  Buffer report = snp_report(), quote = tdx_quote();
  auto snp = describe(*EvidenceFile::detect(report));
  REQUIRE(snp.ok());
  CHECK(fact(*snp, "snp.measurement") == to_hex(Bytes(report).skip(0x90).first(48)));
  CHECK(fact(*snp, "snp.report_data") == to_hex(Bytes(report).skip(0x50).first(64)));
  CHECK(fact(*snp, "snp.signing_key") == "VCEK");
  auto tdx = describe(*EvidenceFile::detect(quote));
  REQUIRE(tdx.ok());
  CHECK(fact(*tdx, "tdx.version") == "4");
  CHECK(fact(*tdx, "tdx.mrtd") == to_hex(Bytes(quote).skip(48 + 136).first(48)));
  CHECK(fact(*tdx, "tdx.pck.root.subject").find("CN=Intel SGX Root CA") != std::string::npos);
  CHECK(fact(*tdx, "tdx.pck.fmspc").size() == 12);
  Buffer log = load("boot/eventlog.bin");
  auto events = describe(*EvidenceFile::detect(log));
  REQUIRE(events.ok());
  CHECK(!events->events.empty());
  CHECK(fact(*events, "log.replayed.pcr4").size() == 64);
}

TEST_CASE("tpm2-tools' two forms of PCR values give the same values") {
  Buffer plain = load("tpm/pcrs.bin");
  Buffer own;
  auto u16 = [&](unsigned v) { own.push_back(static_cast<uint8_t>(v)); own.push_back(static_cast<uint8_t>(v >> 8)); };
  auto u32 = [&](unsigned v) { u16(v & 0xffff); u16(v >> 16); };
  u32(1);
  for (int i = 0; i < 16; ++i) {
    u16(i == 0 ? tpm::kAlgSha256 : 0);
    Buffer rest = i == 0 ? Buffer{3, 0xff, 0xff, 0xff, 0, 0} : Buffer(6);
    own.insert(own.end(), rest.begin(), rest.end());
  }
  u32(3);
  for (int list = 0; list < 3; ++list) {
    u32(8);
    for (int i = 0; i < 8; ++i) {
      u16(32);
      auto at = plain.begin() + (list * 8 + i) * 32;
      own.insert(own.end(), at, at + 32);
      own.insert(own.end(), 32, 0);
    }
  }
  std::array<uint8_t, kPcrValues> first{}, second{};
  REQUIRE(read_pcr_file(plain, &first).ok());
  REQUIRE(read_pcr_file(own, &second).ok());
  CHECK(first == second);
  // Another bank, a PCR less, a byte more.
  Buffer sha1 = own;
  sha1[4] = 4;
  CHECK(read_pcr_file(sha1, &second).code() == Code::bad_value);
  Buffer fewer = own;
  fewer[7] = 0x7f;
  CHECK(read_pcr_file(fewer, &second).code() == Code::bad_value);
  CHECK(!read_pcr_file(joined(own, {0}), &second).ok());
  for (size_t size = 0; size < own.size(); ++size) {
    if (size != kPcrValues) CHECK(!read_pcr_file(Bytes(own).first(size), &second).ok());
  }
}

TEST_CASE("a public area is read with and without its size") {
  Buffer area = Parts::of("ecc").ak_public;
  auto plain = read_public_file(area);
  REQUIRE(plain.ok());
  Buffer sized = joined({static_cast<uint8_t>(area.size() >> 8), static_cast<uint8_t>(area.size())}, area);
  auto again = read_public_file(sized);
  REQUIRE(again.ok());
  CHECK(equal(*again, *plain));
  CHECK(read_public_file(joined(sized, {0})).code() == Code::bad_value);
}

TEST_CASE("a real SEV-SNP report passes against its own measurement, and warns that it may be anyone's") {
  Buffer report = snp_report();
  report.resize(1184);
  Buffer certificates = snp_certificates();
  // The package's guest may be debugged, so its memory is nobody's secret.
  ReferenceValues values = values_of(R"("variant": "sev-snp", "snp": {"policy": {"debug": true}, "measurements": [")" +
                                     to_hex(Bytes(report).skip(0x90).first(48)) + R"("]})");
  AppraisalPolicy policy;
  policy.values = &values;
  policy.now = kAtTime;
  ForeignEvidence evidence;
  evidence.items.variant = Variant::sev_snp;
  evidence.items.tee_report = report;
  evidence.items.tee_certificates = certificates;
  Verdict verdict = appraise_foreign(evidence, policy);
  INFO(verdict.to_text());
  CHECK(verdict.passed());
  REQUIRE(claim(verdict, "evidence.binding") != nullptr);
  CHECK(claim(verdict, "evidence.binding")->result == ClaimResult::warned);
  CHECK(claim(verdict, "snp.crl") == nullptr);  // no list, nothing to compare with: no claim
  CHECK(claim(verdict, "snp.report_data") == nullptr);
  CHECK(claim(verdict, "snp.signature") != nullptr);
  CHECK(trust_tier(verdict) == TrustTier::warning);
  CHECK(trust_vector(verdict).executables == 3);
  CHECK(trust_vector(verdict).hardware == 2);
  CHECK(trust_vector(verdict).runtime_opaque == 0);

  Buffer data = Bytes(report).skip(0x50).first(64).copy();
  evidence.bound_to = Bytes(data);
  verdict = appraise_foreign(evidence, policy);
  CHECK(verdict.passed());
  CHECK(claim(verdict, "evidence.binding")->result == ClaimResult::passed);
  CHECK(claim(verdict, "snp.report_data") != nullptr);
  data[0] ^= 1;
  evidence.bound_to = Bytes(data);
  CHECK(appraise_foreign(evidence, policy).code == Code::snp_report_data);
  evidence.bound_to = Bytes();
  CHECK(appraise_foreign(evidence, policy).code == Code::bad_value);
  evidence.bound_to.reset();
  report[0x90] ^= 1;
  CHECK(appraise_foreign(evidence, policy).code == Code::snp_signature);
  // No set expects an SEV-SNP report.
  ReferenceValues others = values_of(R"("variant": "qemu-vtpm", "allow_unendorsed_ak": true,
    "pcrs": {"4": {"expected": [")" + std::string(64, '0') + R"("], "enforce": true}})");
  policy.values = &others;
  CHECK(appraise_foreign(evidence, policy).code == Code::variant_unknown);
}

TEST_CASE("a TPM quote of another tool is compared with its nonce, or warns") {
  Parts parts = Parts::of("ecc");
  ReferenceValues values = values_of(R"("variant": "qemu-vtpm", "allow_unendorsed_ak": true,
    "pcrs": {"4": {"expected": [")" + to_hex(Bytes(parts.pcr_values).skip(4 * 32).first(32)) + R"("], "enforce": true}})");
  AppraisalPolicy policy;
  policy.values = &values;
  policy.now = kAtTime;
  ForeignEvidence evidence;
  evidence.items = parts.view();
  evidence.items.variant = Variant::tpm;
  Verdict verdict = appraise_foreign(evidence, policy);
  INFO(verdict.to_text());
  CHECK(verdict.passed());
  CHECK(claim(verdict, "evidence.binding")->result == ClaimResult::warned);
  auto quote = tpm::Attest::decode(parts.quote);
  REQUIRE(quote.ok());
  Buffer nonce = quote->extra_data.copy();
  evidence.bound_to = Bytes(nonce);
  CHECK(appraise_foreign(evidence, policy).passed());
  nonce.pop_back();
  evidence.bound_to = Bytes(nonce);
  CHECK(appraise_foreign(evidence, policy).code == Code::quote_nonce);
  evidence.bound_to.reset();
  parts.pcr_values[4 * 32] ^= 1;
  CHECK(appraise_foreign(evidence, policy).code == Code::quote_digest);
}

TEST_CASE("in a file, an endorsement vouches for nothing: anyone can put it beside a key of his own") {
  ReferenceValues values;
  values.sets = {reference_set()};
  values.sets[0].variant = Variant::tpm;
  values.sets[0].allow_unendorsed_ak = false;
  values.sets[0].ek_roots = {load("tpm/root.der")};
  AppraisalPolicy policy;
  policy.values = &values;
  policy.now = kNow;
  Parts parts = Parts::of("ecc").endorsed();
  ForeignEvidence evidence;
  evidence.items = parts.view();
  evidence.items.variant = Variant::tpm;
  Verdict verdict = appraise_foreign(evidence, policy);
  INFO(verdict.to_text());
  CHECK(verdict.passed());
  CHECK_FALSE(verdict.endorsed);
  CHECK(verdict.identity == PlatformIdentity{});
  REQUIRE(claim(verdict, "ek.chain") != nullptr);
  CHECK(claim(verdict, "ek.chain")->result == ClaimResult::warned);
  REQUIRE(claim(verdict, "ek.activation") != nullptr);
  CHECK(claim(verdict, "ek.activation")->result == ClaimResult::warned);
  CHECK(trust_tier(verdict) == TrustTier::warning);
  CHECK(trust_vector(verdict).instance_identity == 0);
  CHECK(trust_vector(verdict).hardware == 0);
}

TEST_CASE("a TDX quote without collateral claims nothing about revocation and TCB") {
  Buffer quote = tdx_quote();
  EvidenceFile file = *EvidenceFile::detect(quote);
  ReferenceValues values = values_of(R"("variant": "tdx", "tdx": {"collateral_required": false, "mr_td": [")" +
                                     std::string(96, '0') + R"("], "rtmrs": {"1": {"expected": [")" +
                                     std::string(96, '0') + R"("]}}})");
  AppraisalPolicy policy;
  policy.values = &values;
  policy.now = kAtTime;
  ForeignEvidence evidence;
  evidence.items.variant = Variant::tdx;
  evidence.items.tee_report = file.content;
  Verdict verdict = appraise_foreign(evidence, policy);
  INFO(verdict.to_text());
  CHECK(verdict.code == Code::reference_mismatch);
  for (const char* idle : {"tdx.revocation", "tdx.collateral_window", "tdx.tcb", "tdx.report_data"}) {
    CAPTURE(std::string(idle));
    CHECK(claim(verdict, idle) == nullptr);
  }
  CHECK(claim(verdict, "tdx.quote_signature") != nullptr);
  REQUIRE(claim(verdict, "tdx.collateral") != nullptr);
  CHECK(claim(verdict, "tdx.collateral")->result == ClaimResult::warned);
}
