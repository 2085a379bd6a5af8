#include "attest/tdx/reference.h"

#include "attest/tdx/ccel.h"
#include "tests/attest/tdx/evidence.h"
#include "tests/harness/tdx_platform.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tdx;

namespace {
constexpr int64_t kMadeAt = 1'800'000'000;

VerifiedQuote made(const std::function<void(TdxFacts&, TdReport&)>& change, bool with_collateral = true) {
  auto platform = TdxPlatform::create();
  TdReport report = platform->report();
  change(platform->facts, report);
  Trust trust{&platform->root(), 1, kMadeAt};
  auto collateral = verify_collateral(platform->collateral(kMadeAt).view(), trust, nullptr);
  QuoteStep step = QuoteStep::form;
  auto quote = verify_quote(platform->quote(report), with_collateral ? &*collateral : nullptr, trust, {}, step);
  REQUIRE_MESSAGE(quote.ok(), named(quote.code()));
  return std::move(*quote);
}
VerifiedQuote made() {
  return made([](TdxFacts&, TdReport&) {});
}

const Claim* find(const std::vector<Claim>& claims, const std::string& name) {
  for (const Claim& claim : claims) {
    if (claim.name == name) return &claim;
  }
  return nullptr;
}

std::string digest(uint8_t byte) { return to_hex(std::vector<uint8_t>(48, byte)); }
}  // namespace

TEST_CASE("tdx.reference: JSON reads back to itself, and leaves defaults out") {
  const std::string text =
      R"({"attributes":{"debug":true,"perfmon":false},"collateral_required":false,"evaluation":17,)"
      R"("mr_td":[")" +
      digest(0x7d) + R"("],"pce_svn":11,"platforms":[")" + std::string(64, 'a') +
      R"("],"qe_svn":4,"rtmrs":{"1":{"component":"UKI","enforce":true,"events":[{"component":"UKI","digest":")" +
      digest(1) + R"("}],"expected":[")" + digest(2) +
      R"("]}},"tcb_statuses":["UpToDate","SWHardeningNeeded"],)"
      R"("tee_tcb_svn":"05010700000000000000000000000000","xfam":["0000000000061ae7"]})";
  auto json = parse_json(text, 1 << 16);
  REQUIRE(json.ok());
  std::string problem;
  auto reference = Reference::from_json(*json, &problem);
  REQUIRE_MESSAGE(reference.ok(), problem);
  CHECK(reference->to_json() == *json);
  CHECK(reference->statuses == (tcb_bit(TcbStatus::up_to_date) | tcb_bit(TcbStatus::sw_hardening_needed)));
  CHECK(reference->xfam == std::vector<uint64_t>{0x61ae7});
  CHECK(reference->names_software());
  CHECK(Reference().to_json().dump() == "{}");
  CHECK_FALSE(Reference().names_software());
}

TEST_CASE("tdx.reference: what is refused when it is read") {
  const std::pair<const char*, const char*> rows[] = {
      {R"({"unknown":1})", "tdx.: holds an unknown member: unknown"},
      {R"({"mr_td":[]})", "tdx.mr_td: is not a list with values"},
      {R"({"mr_td":["00"]})", "tdx.mr_td: holds a value of another form"},
      {R"({"tcb_statuses":["Revoked"]})", "tdx.tcb_statuses: holds what is no status to accept"},
      {R"({"tcb_statuses":["Good"]})", "tdx.tcb_statuses: holds what is no status to accept"},
      {R"({"tcb_statuses":["UpToDate","UpToDate"]})", "tdx.tcb_statuses: holds a value twice"},
      {R"({"rtmrs":{"3":{"expected":[]}}})", "tdx.rtmrs: names RTMR3, which is the cluster's"},
      {R"({"rtmrs":{"4":{"expected":[]}}})", "tdx.rtmrs: names a register that is none"},
      {R"({"rtmrs":{"1":{"enforce":true}}})", "tdx.rtmrs.1.expected: is missing"},
      {R"({"rtmrs":{"1":{"expected":[]}}})", "tdx.rtmrs.1.expected: is not a list with values"},
      {R"({"attributes":{"debug":1}})", "tdx.attributes.debug: is not true or false"},
      {R"({"pce_svn":65536})", "tdx.pce_svn: is not a number from 0 to 65535"},
      {R"([])", "tdx.: is not an object"},
  };
  for (const auto& [text, words] : rows) {
    auto json = parse_json(text, 1 << 16);
    REQUIRE(json.ok());
    std::string problem;
    CHECK(Reference::from_json(*json, &problem).code() == Code::reference_malformed);
    CHECK(problem == words);
  }
}

TEST_CASE("tdx.reference: each fact that differs fails its own claim") {
  struct Row {
    const char* claim;
    std::function<void(TdxFacts&, TdReport&)> lie;
    std::function<void(Reference&)> expect;
    Code code;
  };
  auto honest = [](TdxFacts&, TdReport&) {};
  auto strict = [](Reference&) {};
  Digest48 other{};
  other.fill(9);
  const Row rows[] = {
      {"tdx.tcb.status", [](TdxFacts& f, TdReport&) { f.tcb_status = "SWHardeningNeeded"; }, strict,
       Code::tdx_tcb_status},
      {"tdx.tcb.evaluation", honest, [](Reference& r) { r.evaluation = 18; }, Code::reference_mismatch},
      {"tdx.qe.vendor", [](TdxFacts& f, TdReport&) { f.qe_vendor_id[0] = 0; }, strict, Code::reference_mismatch},
      {"tdx.qe.svn", honest, [](Reference& r) { r.qe_svn = 5; }, Code::reference_mismatch},
      {"tdx.tcb.pce_svn", honest, [](Reference& r) { r.pce_svn = 12; }, Code::reference_mismatch},
      {"tdx.tcb.svn", honest,
       [](Reference& r) {
         r.tee_tcb_svn = Components{5, 1, 8};
       },
       Code::reference_mismatch},
      {"tdx.mrseam", honest, [&](Reference& r) { r.mr_seam = {other}; }, Code::reference_mismatch},
      {"tdx.mrsignerseam", honest, [&](Reference& r) { r.mr_signer_seam = {other}; }, Code::reference_mismatch},
      {"tdx.attributes.debug", [](TdxFacts&, TdReport& r) { r.td_attributes |= kTdDebug; }, strict,
       Code::reference_mismatch},
      {"tdx.attributes.debug", [](TdxFacts&, TdReport& r) { r.td_attributes |= 0x80; }, strict,
       Code::reference_mismatch},
      {"tdx.attributes.migratable", [](TdxFacts&, TdReport& r) { r.td_attributes |= kTdMigratable; }, strict,
       Code::reference_mismatch},
      {"tdx.attributes.perfmon", [](TdxFacts&, TdReport& r) { r.td_attributes |= uint64_t{1} << 63; },
       [](Reference& r) { r.attributes.perfmon = false; }, Code::reference_mismatch},
      {"tdx.attributes.sept_ve_disable", [](TdxFacts&, TdReport& r) { r.td_attributes = 0; }, strict,
       Code::reference_mismatch},
      {"tdx.attributes.unknown", [](TdxFacts&, TdReport& r) { r.td_attributes |= uint64_t{1} << 40; }, strict,
       Code::reference_mismatch},
      {"tdx.xfam", honest, [](Reference& r) { r.xfam = {1}; }, Code::reference_mismatch},
      {"tdx.mrtd", [](TdxFacts&, TdReport& r) { r.mr_td[47] ^= 1; }, strict, Code::reference_mismatch},
      {"tdx.mr_config_id", [](TdxFacts&, TdReport& r) { r.mr_config_id[0] = 1; },
       [](Reference& r) { r.mr_config_id = {Digest48{}}; }, Code::reference_mismatch},
      {"tdx.mr_owner", [](TdxFacts&, TdReport& r) { r.mr_owner[0] = 1; },
       [](Reference& r) { r.mr_owner = {Digest48{}}; }, Code::reference_mismatch},
      {"tdx.mr_owner_config", [](TdxFacts&, TdReport& r) { r.mr_owner_config[0] = 1; },
       [](Reference& r) { r.mr_owner_config = {Digest48{}}; }, Code::reference_mismatch},
      {"tdx.mr_service_td",
       [](TdxFacts& f, TdReport& r) {
         f.version = 5;
         r.is_15 = true;
         r.mr_service_td[0] = 1;
       },
       strict, Code::reference_mismatch},
      {"tdx.platform", honest, [](Reference& r) { r.platforms = {Digest32{}}; }, Code::reference_mismatch},
      {"tdx.rtmr1", [](TdxFacts&, TdReport& r) { r.rtmr[1][0] ^= 1; }, strict, Code::reference_mismatch},
      {"tdx.rtmr2", [](TdxFacts&, TdReport& r) { r.rtmr[2][0] ^= 1; }, strict, Code::reference_mismatch},
  };
  Reference own = Reference::own(made());
  std::vector<Claim> sound;
  CHECK(named(appraise(made(), own, {}, sound)) == "ok");
  for (const Row& row : rows) {
    Reference reference = own;
    row.expect(reference);
    std::vector<Claim> claims;
    Code code = appraise(made(row.lie), reference, {}, claims);
    CHECK_MESSAGE(code == row.code, row.claim, ": ", named(code));
    size_t failed = 0;
    for (const Claim& claim : claims) failed += claim.result == ClaimResult::failed ? 1 : 0;
    CHECK_MESSAGE(failed == 1, row.claim);
    const Claim* claim = find(claims, row.claim);
    REQUIRE_MESSAGE(claim != nullptr, row.claim);
    CHECK_MESSAGE(claim->result == ClaimResult::failed, row.claim);
    CHECK_FALSE(claim->why.empty());
  }
}

TEST_CASE("tdx.reference: without collateral only where the reference says so, and the verdict says it") {
  auto nothing = [](TdxFacts&, TdReport&) {};
  VerifiedQuote bare = made(nothing, false);
  Reference reference = Reference::own(bare);
  std::vector<Claim> claims;
  CHECK(appraise(bare, reference, {}, claims) == Code::tdx_collateral_missing);
  reference.collateral_required = false;
  claims.clear();
  CHECK(named(appraise(bare, reference, {}, claims)) == "ok");
  REQUIRE(find(claims, "tdx.collateral") != nullptr);
  CHECK(find(claims, "tdx.collateral")->result == ClaimResult::warned);
  std::vector<Fact> facts;
  facts_of(bare, facts);
  bool told = false;
  for (const Fact& fact : facts) told = told || fact.value == "not judged: no collateral";
  CHECK(told);
}

TEST_CASE("tdx.ccel: Google's machine: its log replays to the RTMRs of one TD, and to no other's") {
  Buffer area = real("go-eventlog/testdata/eventlogs/ccel/cos-113-intel-tdx.bin");
  auto log = tpm::EventLog::decode(area, tpm::kCcLog);
  REQUIRE_MESSAGE(log.ok(), named(log.code()));
  uint32_t present = 0;
  Rtmrs rtmrs = log->replay_rtmrs(present);
  CHECK(present == 0b0111);
  uint32_t rtmr = 9;
  CHECK(check_replay(*log, rtmrs, rtmr).ok());
  CHECK(rtmr == kRtmrCount);
  rtmrs[3].fill(0x33);  // the log says nothing about it
  CHECK(check_replay(*log, rtmrs, rtmr).ok());
  rtmrs[2][5] ^= 1;
  CHECK(check_replay(*log, rtmrs, rtmr).code() == Code::rtmr_replay);
  CHECK(rtmr == 2);

  // A TD with these registers; the reference knows another second event.
  rtmrs[2][5] ^= 1;
  auto td = [&](TdxFacts&, TdReport& r) {
    for (size_t i = 0; i < 3; ++i) r.rtmr[i] = rtmrs[i];
  };
  VerifiedQuote quote = made(td);
  Reference reference = Reference::own(quote);
  std::vector<Claim> claims;
  CHECK(named(appraise(quote, reference, area, claims)) == "ok");
  REQUIRE(find(claims, "tdx.ccel") != nullptr);
  CHECK(find(claims, "tdx.ccel")->result == ClaimResult::passed);

  RtmrReference& second = reference.rtmrs[1];
  REQUIRE(second.index == 2);
  second.expected[0][0] ^= 1;
  for (const tpm::Event& event : log->events) {
    if (!event.extends() || event.pcr != 3 || second.events.size() == 4) continue;
    RtmrEvent one;
    std::memcpy(one.digest.data(), event.digest.data(), one.digest.size());
    one.component = "part " + std::to_string(second.events.size());
    second.events.push_back(one);
  }
  second.events[1].digest[0] ^= 1;
  claims.clear();
  CHECK(appraise(quote, reference, area, claims) == Code::reference_mismatch);
  const Claim* claim = find(claims, "tdx.rtmr2");
  REQUIRE(claim != nullptr);
  CHECK(claim->component == "part 1");
  CHECK_MESSAGE(claim->why.find("differs: part 1, expected") != std::string::npos, claim->why);

  // A log that does not replay explains nothing, and fails by itself.
  claims.clear();
  CHECK(appraise(made(), Reference::own(made()), area, claims) == Code::rtmr_replay);
  claims.clear();
  CHECK(appraise(made(), Reference::own(made()), Bytes(area).first(100), claims) != Code::ok);
}

TEST_CASE("tdx.ccel: PCRs and RTMRs, as UEFI 2.10 (38.4.1) pairs them") {
  const int expected[] = {-1, 0, 1, 1, 1, 1, 1, 0, 2, 2, 2, 2, 2, 2, 2, 2, -1};
  for (uint32_t pcr = 0; pcr <= 16; ++pcr) CHECK(rtmr_of_pcr(pcr) == expected[pcr]);
}
