#include "attest/tdx/collateral.h"

#include <unistd.h>

#include <filesystem>

#include "crypto/base/utc.h"
#include "tests/attest/tdx/evidence.h"
#include "tests/harness/tdx_platform.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tdx;

namespace {
constexpr int64_t kMadeAt = 1'800'000'000;
constexpr int64_t kDay = 86400;

Code judged(const CollateralFiles& files, const Digest32& root, int64_t now = kMadeAt) {
  return verify_collateral(files.view(), Trust{&root, 1, now}, nullptr).code();
}

// The quote's verdict, too: the PCK CRL is its issuer's matter, which only the quote names.
bool accepted(const Collateral& collateral, const Buffer& quote, const Trust& trust) {
  auto verified = verify_collateral(collateral, trust, nullptr);
  QuoteStep step = QuoteStep::form;
  return verified.ok() && verify_quote(quote, &*verified, trust, {}, step).ok();
}
}  // namespace

TEST_CASE("tdx.collateral: what is stapled reads back, in one form only") {
  auto platform = TdxPlatform::create();
  Buffer staple = platform->stapled(kMadeAt);
  auto read = Collateral::decode(staple);
  REQUIRE(read.ok());
  CHECK(equal(read->tcb_info, platform->collateral(kMadeAt).tcb_info) == (read->tcb_info.size() > 0));
  Buffer again(kMaxCollateral);
  auto written = read->encode(again);
  REQUIRE(written.ok());
  CHECK(equal(*written, staple));
  for (size_t size = 0; size < staple.size(); ++size) {
    CHECK(Collateral::decode(Bytes(staple).first(size)).code() == Code::tdx_collateral_malformed);
  }
  Buffer longer = staple;
  longer.push_back(0);
  CHECK(Collateral::decode(longer).code() == Code::tdx_collateral_malformed);
  Buffer wrong_kind = staple;
  wrong_kind[0] = 33;
  CHECK(Collateral::decode(wrong_kind).code() == Code::tdx_collateral_malformed);
}

TEST_CASE("tdx.collateral: the signed object is cut out byte for byte, of one spelling of the answer") {
  const std::string signature(128, 'a');
  struct Row {
    const char* what;
    std::string answer;
    Code code;
  };
  const std::string object = R"({"a":"}\"{","b":{"c":[]}})";
  const Row rows[] = {
      {"sound", "{\"tcbInfo\":" + object + ",\"signature\":\"" + signature + "\"}", Code::ok},
      {"space", "{ \"tcbInfo\":" + object + ",\"signature\":\"" + signature + "\"}", Code::tdx_collateral_malformed},
      {"newline at the end", "{\"tcbInfo\":" + object + ",\"signature\":\"" + signature + "\"}\n",
       Code::tdx_collateral_malformed},
      {"signature first", "{\"signature\":\"" + signature + "\",\"tcbInfo\":" + object + "}",
       Code::tdx_collateral_malformed},
      {"another member", "{\"tcbInfo\":" + object + ",\"x\":1,\"signature\":\"" + signature + "\"}",
       Code::tdx_collateral_malformed},
      {"two objects", "{\"tcbInfo\":" + object + object + ",\"signature\":\"" + signature + "\"}",
       Code::tdx_collateral_malformed},
      {"another name", "{\"enclaveIdentity\":" + object + ",\"signature\":\"" + signature + "\"}",
       Code::tdx_collateral_malformed},
      {"no object", "{\"tcbInfo\":[],\"signature\":\"" + signature + "\"}", Code::tdx_collateral_malformed},
      {"object without end", "{\"tcbInfo\":{\"a\":\"}", Code::tdx_collateral_malformed},
      {"escape at the end", "{\"tcbInfo\":{\"a\":\"\\", Code::tdx_collateral_malformed},
      {"short signature", "{\"tcbInfo\":" + object + ",\"signature\":\"" + signature.substr(1) + "\"}",
       Code::tdx_collateral_malformed},
      {"long signature", "{\"tcbInfo\":" + object + ",\"signature\":\"" + signature + "a\"}",
       Code::tdx_collateral_malformed},
      {"capitals", "{\"tcbInfo\":" + object + ",\"signature\":\"A" + signature.substr(1) + "\"}",
       Code::tdx_collateral_malformed},
      {"empty", "", Code::tdx_collateral_malformed},
  };
  for (const Row& row : rows) {
    auto cut = signed_object(row.answer, "tcbInfo");
    CHECK_MESSAGE(cut.code() == row.code, row.what);
    if (cut.ok()) CHECK(cut->object.text() == object);
  }
  Buffer big(kMaxSignedObject + 1, ' ');
  CHECK(signed_object(big, "tcbInfo").code() == Code::tdx_collateral_malformed);
}

TEST_CASE("tdx.collateral: each lie about collateral has its own code") {
  struct Lie {
    const char* name;
    std::function<void(TdxFacts&)> tell;
    std::function<void(CollateralFiles&)> change;
    Code code;
  };
  auto same = [](TdxFacts&) {};
  auto keep = [](CollateralFiles&) {};
  auto other = TdxPlatform::create(2);
  const Lie lies[] = {
      {"nothing", same, keep, Code::ok},
      {"signer revoked", [](TdxFacts& f) { f.revoke_signer = true; }, keep, Code::certificate_revoked},
      {"signed by a PCK certificate", [](TdxFacts& f) { f.signer_name = "Intel SGX PCK Certificate"; }, keep,
       Code::tdx_collateral_signature},
      {"expired", [](TdxFacts& f) { f.next_update = kMadeAt - 1; }, keep, Code::tdx_collateral_expired},
      {"of the future", [](TdxFacts& f) { f.issued = kMadeAt + 1; }, keep, Code::tdx_collateral_expired},
      {"certificates expired", [](TdxFacts& f) { f.not_after = kMadeAt - 1; }, keep, Code::certificate_expired},
      {"certificates of the future", [](TdxFacts& f) { f.not_before = kMadeAt + 1; }, keep,
       Code::certificate_not_yet_valid},
      {"unknown status", [](TdxFacts& f) { f.tcb_status = "Fine"; }, keep, Code::tdx_collateral_malformed},
      {"a verifier's status", [](TdxFacts& f) { f.tcb_status = "TDRelaunchAdvised"; }, keep,
       Code::tdx_collateral_malformed},
      {"TCB info of another hierarchy", same,
       [&](CollateralFiles& c) { c.tcb_info = other->collateral(kMadeAt).tcb_info; }, Code::tdx_collateral_signature},
      {"chain of another hierarchy", same,
       [&](CollateralFiles& c) { c.qe_identity_chain = other->collateral(kMadeAt).qe_identity_chain; },
       Code::untrusted_chain},
      {"QE identity in place of TCB info", same, [](CollateralFiles& c) { c.tcb_info = c.qe_identity; },
       Code::tdx_collateral_malformed},
      {"root CRL of another hierarchy", same,
       [&](CollateralFiles& c) { c.root_crl = other->collateral(kMadeAt).root_crl; }, Code::crl_signature},
      {"PCK CRL in place of the root's", same, [](CollateralFiles& c) { c.root_crl = c.pck_crl; }, Code::crl_missing},
      {"no root CRL", same, [](CollateralFiles& c) { c.root_crl.clear(); }, Code::crl_malformed},
      {"no PCK CRL", same, [](CollateralFiles& c) { c.pck_crl.clear(); }, Code::crl_malformed},
      {"chain with something behind", same, [](CollateralFiles& c) { c.tcb_info_chain.push_back(0); },
       Code::tdx_collateral_malformed},
  };
  for (const Lie& lie : lies) {
    auto platform = TdxPlatform::create();
    lie.tell(platform->facts);
    CollateralFiles files = platform->collateral(kMadeAt);
    lie.change(files);
    Code seen = judged(files, platform->root());
    CHECK_MESSAGE(seen == lie.code, lie.name, ": ", named(seen));
  }
  auto platform = TdxPlatform::create();
  CHECK(judged(platform->collateral(kMadeAt), platform->root(), kMadeAt + 30 * kDay) == Code::crl_expired);
  CHECK(judged(platform->collateral(kMadeAt), other->root()) == Code::untrusted_chain);
}

TEST_CASE("tdx.collateral: any flipped bit of collateral is refused, of ours and of Intel's") {
  auto platform = TdxPlatform::create();
  Buffer quote = platform->quote(platform->report());
  Trust trust{&platform->root(), 1, kMadeAt};
  Buffer staple = platform->stapled(kMadeAt);
  REQUIRE(accepted(*Collateral::decode(staple), quote, trust));
  for (size_t byte = 0; byte < staple.size(); byte += 2) {
    auto bit = static_cast<uint8_t>(1u << (byte / 2 % 8));
    staple[byte] ^= bit;
    auto read = Collateral::decode(staple);
    CHECK_MESSAGE(!(read.ok() && accepted(*read, quote, trust)), "byte ", byte);
    staple[byte] ^= bit;
  }
  CollateralFiles real = real_collateral();
  REQUIRE(verify_collateral(real.view(), intel(), nullptr).ok());
  for (auto* part : {&real.tcb_info, &real.tcb_info_chain, &real.qe_identity, &real.root_crl}) {
    for (size_t byte = 0; byte < part->size(); byte += 3) {
      auto bit = static_cast<uint8_t>(1u << (byte / 3 % 8));
      (*part)[byte] ^= bit;
      CHECK_MESSAGE(!verify_collateral(real.view(), intel(), nullptr).ok(), "byte ", byte);
      (*part)[byte] ^= bit;
    }
  }
}

TEST_CASE("tdx.collateral: a folder keeps it, as PCS would have answered") {
  const std::string folder =
      std::filesystem::temp_directory_path().string() + "/tdx-collateral-" + std::to_string(getpid());
  auto platform = TdxPlatform::create();
  CollateralFiles files = platform->collateral(kMadeAt);
  REQUIRE(write_collateral(folder, platform->facts.fmspc, "platform", files).ok());
  auto read = read_collateral(folder, platform->facts.fmspc, "platform");
  REQUIRE(read.ok());
  CHECK(judged(*read, platform->root()) == Code::ok);
  CHECK(read->tcb_info_chain == files.tcb_info_chain);
  CHECK(read_collateral(folder, platform->facts.fmspc, "processor").code() == Code::not_found);
  CHECK(read_collateral(folder, Fmspc{}, "platform").code() == Code::not_found);
  CHECK(read_collateral(folder, platform->facts.fmspc, "../platform").code() == Code::bad_value);
  std::filesystem::remove_all(folder);
}

TEST_CASE("tdx.tcb: statuses converge as Intel's library has it") {
  struct Row {
    const char *platform, *module, *enclave, *whole;
  };
  const Row rows[] = {
      {"UpToDate", "UpToDate", "UpToDate", "UpToDate"},
      {"SWHardeningNeeded", "UpToDate", "UpToDate", "SWHardeningNeeded"},
      {"ConfigurationAndSWHardeningNeeded", "UpToDate", "UpToDate", "ConfigurationAndSWHardeningNeeded"},
      {"UpToDate", "OutOfDate", "UpToDate", "OutOfDate"},
      {"SWHardeningNeeded", "OutOfDate", "UpToDate", "OutOfDate"},
      {"ConfigurationNeeded", "OutOfDate", "UpToDate", "OutOfDateConfigurationNeeded"},
      {"UpToDate", "UpToDate", "OutOfDate", "OutOfDate"},
      {"ConfigurationNeeded", "UpToDate", "OutOfDate", "OutOfDateConfigurationNeeded"},
      {"OutOfDateConfigurationNeeded", "OutOfDate", "OutOfDate", "OutOfDateConfigurationNeeded"},
      {"UpToDate", "Revoked", "UpToDate", "Revoked"},
      {"UpToDate", "UpToDate", "Revoked", "Revoked"},
      {"Revoked", "UpToDate", "UpToDate", "Revoked"},
  };
  for (const Row& row : rows) {
    auto platform = TdxPlatform::create();
    platform->facts.tcb_status = row.platform;
    platform->facts.module_status = row.module;
    platform->facts.qe_status = row.enclave;
    Trust trust{&platform->root(), 1, kMadeAt};
    auto collateral = verify_collateral(platform->collateral(kMadeAt).view(), trust, nullptr);
    REQUIRE(collateral.ok());
    QuoteStep step = QuoteStep::form;
    auto quote = verify_quote(platform->quote(platform->report()), &*collateral, trust, {}, step);
    REQUIRE(quote.ok());
    CHECK_MESSAGE(std::string(tcb_status_name(quote->tcb().status)) == row.whole, row.platform, row.module,
                  row.enclave);
  }
}

TEST_CASE("tdx.tcb: levels are found by every component, and TD report 1.5 tells when a relaunch would do") {
  auto judge = [](std::function<void(TdxFacts&, TdReport&)> change) {
    auto platform = TdxPlatform::create();
    TdReport report = platform->report();
    change(platform->facts, report);
    Trust trust{&platform->root(), 1, kMadeAt};
    auto collateral = verify_collateral(platform->collateral(kMadeAt).view(), trust, nullptr);
    QuoteStep step = QuoteStep::form;
    auto quote = verify_quote(platform->quote(report), &*collateral, trust, {}, step);
    REQUIRE_MESSAGE(quote.ok(), named(quote.code()));
    return quote->tcb();
  };
  CHECK(judge([](TdxFacts& f, TdReport&) { f.sgx_tcb[3] = 1; }).status == TcbStatus::out_of_date);
  CHECK(judge([](TdxFacts&, TdReport& r) { r.tee_tcb_svn[2] = 6; }).status == TcbStatus::out_of_date);
  TcbVerdict module = judge([](TdxFacts&, TdReport& r) { r.tee_tcb_svn[0] = 4; });
  CHECK(module.platform == TcbStatus::up_to_date);
  CHECK(module.module == TcbStatus::out_of_date);
  CHECK(module.advisories == std::vector<std::string>{"INTEL-SA-01036"});
  CHECK(judge([](TdxFacts& f, TdReport&) { f.qe_isv_svn = 2; }).enclave == TcbStatus::out_of_date);
  // Module version 0: its two components count among the platform's.
  CHECK(judge([](TdxFacts&, TdReport& r) { r.tee_tcb_svn = {5, 0, 7}; }).status == TcbStatus::up_to_date);
  CHECK(judge([](TdxFacts&, TdReport& r) { r.tee_tcb_svn = {4, 0, 7}; }).status == TcbStatus::out_of_date);
  auto fifteen = [](uint8_t isv_svn_now, uint8_t loader_now) {
    return [=](TdxFacts& f, TdReport& r) {
      f.version = 5;
      r.is_15 = true;
      r.tee_tcb_svn = {4, 1, 7};
      r.tee_tcb_svn2 = {isv_svn_now, 1, loader_now};
    };
  };
  CHECK(judge(fifteen(5, 7)).status == TcbStatus::td_relaunch_advised);
  CHECK(judge(fifteen(4, 7)).status == TcbStatus::out_of_date);
  CHECK(judge(fifteen(5, 6)).status == TcbStatus::out_of_date);
  auto configured = [&](TdxFacts& f, TdReport& r) {
    fifteen(5, 7)(f, r);
    f.tcb_status = "ConfigurationNeeded";
  };
  CHECK(judge(configured).status == TcbStatus::td_relaunch_advised_configuration_needed);
}
