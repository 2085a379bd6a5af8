#include "attest/tdx/verify.h"

#include "crypto/base/utc.h"
#include "tests/attest/tdx/evidence.h"
#include "tests/harness/tdx_platform.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tdx;

namespace {
constexpr int64_t kMadeAt = 1'800'000'000;

struct Outcome {
  Code code = Code::ok;
  QuoteStep step = QuoteStep::form;
  std::string site;
};

Outcome outcome(Bytes quote, const VerifiedCollateral* collateral, const Trust& trust, Bytes report_data = {}) {
  Outcome out;
  auto verified = verify_quote(quote, collateral, trust, report_data, out.step);
  out.code = verified.code();
  out.site = verified.ok() ? "" : verified.error().site;
  return out;
}

Code collateral_code(const CollateralFiles& files, const Trust& trust) {
  return verify_collateral(files.view(), trust, nullptr).code();
}

// A platform of the test hierarchy, with facts as `change` leaves them, verified with its collateral.
struct Made {
  std::unique_ptr<TdxPlatform> platform = TdxPlatform::create();
  Digest32 root = platform->root();
  Trust trust(int64_t now = kMadeAt) const { return {&root, 1, now}; }
  Outcome judge(const TdReport& report, int64_t now = kMadeAt) const {
    auto collateral = verify_collateral(platform->collateral(kMadeAt).view(), trust(), nullptr);
    REQUIRE_MESSAGE(collateral.ok(), named(collateral.code()));
    return outcome(platform->quote(report), &*collateral, trust(now));
  }
};
}  // namespace

TEST_CASE(
    "tdx.verify: Intel's production quote and its collateral: every signature holds; the platform is below every "
    "level") {
  Buffer quote = real_quote();
  auto collateral = verify_collateral(real_collateral().view(), intel(), nullptr);
  REQUIRE_MESSAGE(collateral.ok(), named(collateral.code()), " ", std::string(collateral.error().site));
  CHECK(collateral->not_after() == *parse_utc("2023-07-08T07:24:59Z"));
  // The package's own test says so too ("no matching TCB level found"): the sample TCB info demands component 1 >= 5,
  // the platform of the sample quote has 3. Everything before that step, revocation included, has passed.
  Outcome seen = outcome(quote, &*collateral, intel());
  CHECK_MESSAGE(seen.code == Code::tdx_tcb_unsupported, named(seen.code), " ", seen.site);
  CHECK(seen.step == QuoteStep::tcb);
  CHECK(seen.site == "tdx.sgx_level");
}

TEST_CASE("tdx.verify: a platform with the components that Intel's real TCB info wants is up to date") {
  auto collateral = verify_collateral(real_collateral().view(), intel(), nullptr);
  REQUIRE(collateral.ok());
  const TcbInfo& info = collateral->tcb_info();
  Buffer quote = real_quote();
  auto parsed = Quote::decode(quote);
  REQUIRE(parsed.ok());
  auto pck = pck_extensions_of(*PckChain::decode(parsed->pck_chain));
  REQUIRE(pck.ok());
  pck->tcb = info.levels[0].sgx;
  TdReport report = parsed->report;
  report.tee_tcb_svn = info.levels[0].tdx;
  auto verdict = judge_tcb(info, collateral->qe_identity(), *pck, report, parsed->qe_report);
  REQUIRE_MESSAGE(verdict.ok(), named(verdict.code()), " ", std::string(verdict.error().site));
  CHECK(verdict->status == TcbStatus::up_to_date);
  CHECK(verdict->evaluation == 15);
  CHECK(verdict->advisories.empty());
  CHECK(verdict->date == *parse_utc("2023-02-15T00:00:00Z"));
  pck->pce_svn = 5;
  auto older = judge_tcb(info, collateral->qe_identity(), *pck, report, parsed->qe_report);
  REQUIRE(older.ok());
  CHECK(older->status == TcbStatus::out_of_date);
  CHECK(older->advisories.size() == 13);
  CHECK(older->advisories.front() == "INTEL-SA-00106");
}

TEST_CASE("tdx.verify: and without collateral, when the verdict has no TCB") {
  Buffer quote = real_quote();
  QuoteStep step = QuoteStep::form;
  auto verified = verify_quote(quote, nullptr, intel(), {}, step);
  REQUIRE(verified.ok());
  CHECK_FALSE(verified->has_tcb());
  CHECK(step == QuoteStep::done);
  CHECK(verified->version() == 4);
  CHECK(to_hex(verified->pck().fmspc) == "50806f000000");
  CHECK(verified->pck().pce_svn == 11);
  CHECK(verified->pck().tcb == Components{3, 3, 2, 2, 2, 1, 0, 2});
  CHECK(verified->qe_vendor_id() == kIntelQeVendor);
  CHECK(verified->not_after() == *parse_utc("2029-09-20T13:20:31Z"));
  CHECK_FALSE(verified->bound());
  auto later =
      verify_quote(quote, nullptr, intel(*parse_utc("2026-01-01T00:00:00Z")), verified->report().report_data, step);
  REQUIRE(later.ok());
  CHECK(later->bound());
  Buffer with_sentence = real_tdx("tdx_prod_quote_SPR_E4.dat");
  CHECK(outcome(with_sentence, nullptr, intel()).code == Code::trailing);
  CHECK(*quote_size(with_sentence) == kRealQuoteSize);
}

TEST_CASE("tdx.verify: the production quote is refused outside of its times, and under another root") {
  Buffer quote = real_quote();
  auto collateral = verify_collateral(real_collateral().view(), intel(), nullptr);
  REQUIRE(collateral.ok());
  auto at = [&](const char* time) { return intel(*parse_utc(time)); };
  CHECK(outcome(quote, &*collateral, at("2023-07-09T00:00:00Z")).code == Code::crl_expired);
  CHECK(outcome(quote, &*collateral, at("2023-06-17T00:00:00Z")).code == Code::tdx_collateral_expired);
  CHECK(outcome(quote, nullptr, at("2022-09-20T00:00:00Z")).code == Code::certificate_not_yet_valid);
  CHECK(outcome(quote, nullptr, at("2029-09-21T00:00:00Z")).code == Code::certificate_expired);
  CHECK(outcome(quote, nullptr, intel(0)).code == Code::certificate_not_yet_valid);
  CHECK(collateral_code(real_collateral(), at("2023-07-19T00:00:00Z")) == Code::tdx_collateral_expired);
  CHECK(collateral_code(real_collateral(), at("2023-06-17T00:00:00Z")) == Code::tdx_collateral_expired);
  CHECK(collateral_code(real_collateral(), at("2024-04-03T00:00:00Z")) == Code::crl_expired);
  CHECK(collateral_code(real_collateral(), at("2025-05-22T00:00:00Z")) == Code::certificate_expired);
  CHECK(collateral_code(real_collateral(), intel(0)) == Code::tdx_collateral_expired);

  Made made;
  CHECK(outcome(quote, nullptr, made.trust()).code == Code::tdx_pck_chain);
  CHECK(collateral_code(real_collateral(), made.trust(kRealTime)) == Code::untrusted_chain);
  CHECK(outcome(made.platform->quote(made.platform->report()), nullptr, intel(kMadeAt)).code == Code::tdx_pck_chain);
}

TEST_CASE("tdx.verify: quotes of the test hierarchy pass the same checks: versions 4 and 5, TD reports 1.0 and 1.5") {
  Made made;
  TdReport report = made.platform->report();
  CHECK(named(made.judge(report).code) == "ok");
  made.platform->facts.version = 5;
  CHECK(named(made.judge(report).code) == "ok");
  report.is_15 = true;
  report.tee_tcb_svn2 = report.tee_tcb_svn;
  CHECK(named(made.judge(report).code) == "ok");
  made.platform->facts.ca_name = kProcessorCaName;
  CHECK(named(made.judge(report).code) == "ok");
}

TEST_CASE("tdx.verify: each lie of a platform has its own code") {
  struct Lie {
    const char* name;
    std::function<void(TdxFacts&, TdReport&)> tell;
    Code code;
    QuoteStep step;
  };
  const Lie lies[] = {
      {"leaf revoked", [](TdxFacts& f, TdReport&) { f.revoke_leaf = true; }, Code::certificate_revoked,
       QuoteStep::revocation},
      {"CA revoked", [](TdxFacts& f, TdReport&) { f.revoke_ca = true; }, Code::certificate_revoked,
       QuoteStep::revocation},
      {"leaf of another kind", [](TdxFacts& f, TdReport&) { f.leaf_name = "Intel SGX TCB Signing"; },
       Code::tdx_pck_chain, QuoteStep::pck_chain},
      {"CA of another kind", [](TdxFacts& f, TdReport&) { f.ca_name = "Intel SGX CA"; }, Code::tdx_pck_chain,
       QuoteStep::pck_chain},
      {"no SGX extension", [](TdxFacts& f, TdReport&) { f.sgx_extension = false; }, Code::tdx_pck_extensions,
       QuoteStep::pck_extensions},
      {"another platform's TCB info", [](TdxFacts& f, TdReport&) { f.fmspc[0] ^= 1; }, Code::tdx_tcb_info_mismatch,
       QuoteStep::tcb},
      {"another PCE", [](TdxFacts& f, TdReport&) { f.pce_id[0] = 1; }, Code::tdx_tcb_info_mismatch, QuoteStep::tcb},
      {"module not Intel's", [](TdxFacts&, TdReport& r) { r.mr_signer_seam[0] = 1; }, Code::tdx_module, QuoteStep::tcb},
      {"module with attributes", [](TdxFacts&, TdReport& r) { r.seam_attributes[0] = 1; }, Code::tdx_module,
       QuoteStep::tcb},
      {"unknown module version", [](TdxFacts&, TdReport& r) { r.tee_tcb_svn[1] = 9; }, Code::tdx_module,
       QuoteStep::tcb},
      {"enclave not Intel's", [](TdxFacts& f, TdReport&) { f.qe_signer[0] ^= 1; }, Code::tdx_qe_identity,
       QuoteStep::tcb},
      {"another enclave of Intel's", [](TdxFacts& f, TdReport&) { f.qe_prod_id = 1; }, Code::tdx_qe_identity,
       QuoteStep::tcb},
      {"enclave below all levels", [](TdxFacts& f, TdReport&) { f.qe_isv_svn = 0; }, Code::tdx_tcb_unsupported,
       QuoteStep::tcb},
      {"module below all levels", [](TdxFacts&, TdReport& r) { r.tee_tcb_svn[0] = 2; }, Code::tdx_tcb_unsupported,
       QuoteStep::tcb},
      {"SGX below all levels", [](TdxFacts& f, TdReport&) { f.sgx_tcb = {1}; }, Code::tdx_tcb_unsupported,
       QuoteStep::tcb},
      {"PCE below all levels", [](TdxFacts& f, TdReport&) { f.pce_svn = 1; }, Code::tdx_tcb_unsupported,
       QuoteStep::tcb},
      {"loader below all levels", [](TdxFacts&, TdReport& r) { r.tee_tcb_svn[2] = 0; }, Code::tdx_tcb_unsupported,
       QuoteStep::tcb},
  };
  for (const Lie& lie : lies) {
    Made made;
    TdReport report = made.platform->report();
    lie.tell(made.platform->facts, report);
    Outcome seen = made.judge(report);
    CHECK_MESSAGE(seen.code == lie.code, lie.name, ": ", named(seen.code), " at ", seen.site);
    CHECK_MESSAGE(seen.step == lie.step, lie.name);
  }
}

TEST_CASE("tdx.verify: an enclave of somebody's own does not pass for a quoting enclave, with collateral or without") {
  struct Lie {
    const char* name;
    std::function<void(TdxFacts&)> tell;
  };
  const Lie lies[] = {{"signed by another", [](TdxFacts& f) { f.qe_signer[0] ^= 1; }},
                      {"another of Intel's", [](TdxFacts& f) { f.qe_prod_id = 1; }},
                      {"that can be debugged", [](TdxFacts& f) { f.qe_attributes |= 2; }}};
  for (const Lie& lie : lies) {
    Made made;
    lie.tell(made.platform->facts);
    CAPTURE(std::string(lie.name));
    CHECK(named(made.judge(made.platform->report()).code) == "tdx_qe_identity");
    Outcome bare = outcome(made.platform->quote(made.platform->report()), nullptr, made.trust());
    CHECK(named(bare.code) == "tdx_qe_identity");
    CHECK(bare.step == QuoteStep::tcb);
  }
}

TEST_CASE("tdx.verify: REPORTDATA is 64 bytes, or 32 with zeros behind") {
  Made made;
  TdReport report = made.platform->report();
  for (uint8_t i = 0; i < kReportData; ++i) report.report_data[i] = static_cast<uint8_t>(i + 1);
  Buffer quote = made.platform->quote(report);
  CHECK(named(outcome(quote, nullptr, made.trust(), report.report_data).code) == "ok");
  CHECK(outcome(quote, nullptr, made.trust(), Bytes(report.report_data).first(32)).code == Code::tdx_report_data);
  CHECK(outcome(quote, nullptr, made.trust(), Bytes(report.report_data).first(63)).code == Code::bad_value);
  auto other = report.report_data;
  other[63] ^= 1;
  Outcome seen = outcome(quote, nullptr, made.trust(), other);
  CHECK(seen.code == Code::tdx_report_data);
  CHECK(seen.step == QuoteStep::report_data);
  std::fill(report.report_data.begin() + 32, report.report_data.end(), uint8_t{0});
  quote = made.platform->quote(report);
  CHECK(named(outcome(quote, nullptr, made.trust(), Bytes(report.report_data).first(32)).code) == "ok");
}

TEST_CASE("tdx.verify: any flipped bit of the production quote is refused") {
  Buffer quote = real_quote();
  REQUIRE(outcome(quote, nullptr, intel()).code == Code::ok);
  size_t accepted = 0;
  for (size_t byte = 0; byte < quote.size(); ++byte) {
    int bit = static_cast<int>(byte * 7 % 8);  // every byte, and every bit's place in turn
    quote[byte] ^= static_cast<uint8_t>(1u << bit);
    Outcome seen = outcome(quote, nullptr, intel());
    if (seen.code == Code::ok) {
      ++accepted;
      MESSAGE("byte ", byte, " bit ", bit);
    }
    quote[byte] ^= static_cast<uint8_t>(1u << bit);
  }
  CHECK(accepted == 0);
}

TEST_CASE("tdx.verify: which code a flipped bit gets, by where it is") {
  struct Place {
    const char* what;
    size_t byte;
    Code code;
  };
  // Offsets of version 4 (appendix A.3): 632 the size of what is signed, then signature, key, certification data.
  constexpr size_t kSigned = 636, kQe = kSigned + 128 + 6, kAuth = kQe + kSgxReport + 64;
  const Place places[] = {
      {"version", 0, Code::unsupported},
      {"key type", 2, Code::unsupported},
      {"TEE type", 4, Code::unsupported},
      {"vendor", 12, Code::tdx_quote_signature},
      {"TEE_TCB_SVN", 48, Code::tdx_quote_signature},
      {"TDATTRIBUTES", 48 + 120, Code::tdx_quote_signature},
      {"MRTD", 48 + 136, Code::tdx_quote_signature},
      {"RTMR3", 48 + 328 + 144, Code::tdx_quote_signature},
      {"REPORTDATA", 48 + 520, Code::tdx_quote_signature},
      {"size of the signature", 632, Code::truncated},
      {"signature", kSigned, Code::tdx_quote_signature},
      {"attestation key", kSigned + 64, Code::tdx_qe_binding},
      {"certification type", kSigned + 128, Code::unsupported},
      {"certification size", kSigned + 130, Code::bad_value},
      {"QE report", kQe, Code::tdx_qe_report_signature},
      {"QE report signature", kQe + kSgxReport, Code::tdx_qe_report_signature},
      {"QE auth data", kAuth + 2, Code::tdx_qe_binding},
      {"PCK chain", kAuth + 2 + 32 + 6 + 100, Code::tdx_pck_chain},
  };
  const Buffer quote = real_quote();
  for (const Place& place : places) {
    Buffer changed = quote;
    changed[place.byte] ^= 0x10;
    Outcome seen = outcome(changed, nullptr, intel());
    CHECK_MESSAGE(seen.code == place.code, place.what, ": ", named(seen.code), " at ", seen.site);
  }
}

TEST_CASE("tdx.verify: any cut and any addition is refused") {
  const Buffer quote = real_quote();
  for (size_t size = 0; size < quote.size(); ++size) {
    Outcome seen = outcome(Bytes(quote).first(size), nullptr, intel());
    CHECK_MESSAGE(seen.code == Code::truncated, size, ": ", named(seen.code));
  }
  Buffer longer = quote;
  longer.push_back(0);
  CHECK(outcome(longer, nullptr, intel()).code == Code::trailing);
  longer.resize(cstl::tdx::kMaxQuote + 1);
  CHECK(outcome(longer, nullptr, intel()).code == Code::too_long);
}
