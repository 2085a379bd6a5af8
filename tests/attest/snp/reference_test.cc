#include "attest/snp/reference.h"

#include <doctest/doctest.h>

#include "tests/harness/snp_platform.h"

using namespace cstl;
using namespace cstl::snp;
using namespace cstl::test;

namespace {
constexpr int64_t kNow = 1767225600;  // 2026-01-01

VerifiedReport verified(const SnpChip& chip, const Report& report) {
  VerifyPolicy policy;
  policy.roots = snp_test_roots();
  policy.now = kNow;
  ReportStep step = ReportStep::form;
  auto out = verify_report(chip.sign(report), views(chip.certificates()), policy, {}, step);
  REQUIRE(out.ok());
  return *out;
}

Result<Reference> parse(const std::string& text, std::string* problem = nullptr) {
  auto json = parse_json(text, 1 << 20);
  REQUIRE(json.ok());
  return Reference::from_json(*json, problem);
}

const Claim* claim_of(const std::vector<Claim>& claims, const std::string& name) {
  for (const Claim& claim : claims) {
    if (claim.name == name) return &claim;
  }
  return nullptr;
}

std::string times(const char* pair, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += pair;
  return out;
}
}  // namespace

TEST_CASE("a reference of SEV-SNP is the same after writing and reading") {
  const std::string full = R"({"roots": [")" + times("11", 32) +
                           R"("], "crl": "required", "products": ["Milan", "Turin"],
    "measurements": [")" + times("ab", 48) +
                           R"(", ")" + times("cd", 48) + R"("],
    "tcb": {"current": {"snp": 5}, "reported": {"microcode": 60}, "committed": {"bootloader": 3, "tee": 1},
            "launch": {"fmc": 1, "bootloader": 4, "tee": 2, "snp": 22, "microcode": 213}},
    "policy": {"debug": true, "migration_agent": true, "smt": false, "cxl": false, "single_socket": true,
               "memory_aes_256_xts": true, "rapl_disabled": true, "ciphertext_hiding": true, "page_swap_disabled": true,
               "abi": "1.55"},
    "platform": {"smt": false, "ecc": true, "tsme": true, "alias_check": true, "rapl_disabled": true, "ciphertext_hiding": true},
    "vmpl": 2, "guest_svn": 7, "host_data": [")" +
                           times("22", 32) + R"("], "family_ids": [")" + times("33", 16) + R"("],
    "image_ids": [")" + times("44", 16) +
                           R"("], "id_keys": [")" + times("55", 48) + R"("], "author_keys": [")" + times("66", 48) +
                           R"("], "chips": [")" + times("77", 64) + R"("], "providers": ["Amazon"]})";
  auto reference = parse(full);
  REQUIRE(reference.ok());
  CHECK(reference->names_software());
  CHECK(reference->policy.abi_minor == 55);
  CHECK(reference->launch->microcode == 213);
  std::string once = reference->to_json().dump();
  auto again = parse(once);
  REQUIRE(again.ok());
  CHECK(again->to_json().dump() == once);
  for (const char* member :
       {"roots", "crl", "products", "measurements", "tcb", "policy", "platform", "vmpl", "guest_svn", "host_data",
        "family_ids", "image_ids", "id_keys", "author_keys", "chips", "providers"}) {
    INFO(member);
    CHECK(reference->to_json().contains(member));
    CHECK(reference->to_json()[member] == (*parse_json(full, 1 << 20))[member].get<nlohmann::json>());
  }
  CHECK(Reference().to_json().dump() == "{}");
  CHECK_FALSE(parse("{}")->names_software());
}

TEST_CASE("a malformed reference of SEV-SNP names the place") {
  struct Row {
    const char* json;
    const char* problem;
  };
  const Row rows[] = {
      {R"({"measurement": []})", "snp.: holds an unknown member: measurement"},
      {R"([])", "snp.: is not an object"},
      {R"({"measurements": []})", "snp.measurements: is not a list with values"},
      {R"({"measurements": ["ab"]})", "snp.measurements: holds a value of another form"},
      {R"({"measurements": [1]})", "snp.measurements: holds a value of another form"},
      {R"({"products": ["Milan-B0"]})", "snp.products: holds a value of another form"},
      {R"({"products": ["Milan", "Milan"]})", "snp.products: holds a value twice"},
      {R"({"providers": ["a\nb"]})", "snp.providers: holds a value of another form"},
      {R"({"crl": "optional"})", "snp.crl: has an unknown value"},
      {R"({"vmpl": 4})", "snp.vmpl: is not a number from 0 to 3"},
      {R"({"tcb": {"platform": {}}})", "snp.tcb.: holds an unknown member: platform"},
      {R"({"tcb": {"current": {"snp": 256}}})", "snp.tcb: snp: is not a number from 0 to 255"},
      {R"({"tcb": {"current": {"bl": 1}}})", "snp.tcb: : holds an unknown member: bl"},
      {R"({"policy": {"debug": 1}})", "snp.policy.debug: is not true or false"},
      {R"({"policy": {"abi": "1"}})", "snp.policy.abi: is not a version like 1.55"},
      {R"({"policy": {"abi": "1.256"}})", "snp.policy.abi: is not a version like 1.55"},
      {R"({"policy": {"abi": "1.5.5"}})", "snp.policy.abi: is not a version like 1.55"},
      {R"({"platform": {"avx": true}})", "snp.platform.: holds an unknown member: avx"},
  };
  for (const Row& row : rows) {
    INFO(row.json);
    std::string problem;
    CHECK(parse(row.json, &problem).code() == Code::reference_malformed);
    CHECK(problem == row.problem);
  }
}

TEST_CASE("each fact of a report that differs is a failed claim with its code") {
  SnpChip chip(Product::genoa);
  Report base = chip.report();
  base.guest_svn = 3;
  base.author_key = true;
  base.id_key_digest.fill(0x55);
  base.author_key_digest.fill(0x66);
  base.host_data.fill(0x22);
  base.family_id.fill(0x33);
  base.image_id.fill(0x44);
  base.policy.raw = 0x30000 | 1 << 20 | 1 << 22 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 8 | 55;
  base.platform.raw = 0x3f;
  Reference reference = Reference::own(verified(chip, base));
  reference.products = {Product::genoa};
  reference.current = reference.reported = reference.committed = verified(chip, base).launch_tcb();
  reference.host_data = {base.host_data};
  reference.family_ids = {base.family_id};
  reference.image_ids = {base.image_id};
  reference.chips = {base.chip_id};
  reference.policy.single_socket = reference.policy.memory_aes_256_xts = reference.policy.rapl_disabled = true;
  reference.policy.ciphertext_hiding = reference.policy.page_swap_disabled = true;
  reference.policy.cxl = false;
  reference.policy.abi_major = 1;
  reference.policy.abi_minor = 55;
  reference.platform = {true, true, true, true, true, true};
  std::vector<Claim> claims;
  CHECK(appraise(verified(chip, base), reference, claims) == Code::ok);
  CHECK(claims.size() == 28);
  for (const Claim& claim : claims) {
    INFO(claim.name);
    CHECK(claim.result == ClaimResult::passed);
    CHECK(claim.expected != "");
    CHECK(claim.why == "");
  }

  struct Row {
    const char* claim;
    Code code;
    void (*change)(Report&);
  };
  const Row rows[] = {
      {"snp.measurement", Code::snp_measurement, [](Report& r) { r.measurement[47] ^= 1; }},
      {"snp.tcb.current", Code::snp_tcb_low, [](Report& r) { r.current_tcb -= 1ull << 56; }},
      {"snp.tcb.committed", Code::snp_tcb_low, [](Report& r) { r.committed_tcb -= 1ull << 48; }},
      {"snp.tcb.launch", Code::snp_tcb_low, [](Report& r) { r.launch_tcb -= 1; }},
      {"snp.policy.debug", Code::snp_policy, [](Report& r) { r.policy.raw |= 1 << 19; }},
      {"snp.policy.migration_agent", Code::snp_policy, [](Report& r) { r.policy.raw |= 1 << 18; }},
      {"snp.policy.cxl", Code::snp_policy, [](Report& r) { r.policy.raw |= 1 << 21; }},
      {"snp.policy.single_socket", Code::snp_policy, [](Report& r) { r.policy.raw &= ~(1ull << 20); }},
      {"snp.policy.memory_aes_256_xts", Code::snp_policy, [](Report& r) { r.policy.raw &= ~(1ull << 22); }},
      {"snp.policy.rapl_disabled", Code::snp_policy, [](Report& r) { r.policy.raw &= ~(1ull << 23); }},
      {"snp.policy.ciphertext_hiding", Code::snp_policy, [](Report& r) { r.policy.raw &= ~(1ull << 24); }},
      {"snp.policy.page_swap_disabled", Code::snp_policy, [](Report& r) { r.policy.raw &= ~(1ull << 25); }},
      {"snp.policy.abi", Code::snp_policy, [](Report& r) { r.policy.raw -= 1; }},
      {"snp.platform.ecc", Code::snp_policy, [](Report& r) { r.platform.raw &= ~4ull; }},
      {"snp.platform.tsme", Code::snp_policy, [](Report& r) { r.platform.raw &= ~2ull; }},
      {"snp.platform.alias_check", Code::snp_policy, [](Report& r) { r.platform.raw &= ~32ull; }},
      {"snp.platform.rapl_disabled", Code::snp_policy, [](Report& r) { r.platform.raw &= ~8ull; }},
      {"snp.platform.ciphertext_hiding", Code::snp_policy, [](Report& r) { r.platform.raw &= ~16ull; }},
      {"snp.vmpl", Code::snp_vmpl, [](Report& r) { r.vmpl = 1; }},
      {"snp.host_data", Code::snp_launch_identity, [](Report& r) { r.host_data[0] ^= 1; }},
      {"snp.family_id", Code::snp_launch_identity, [](Report& r) { r.family_id[0] ^= 1; }},
      {"snp.image_id", Code::snp_launch_identity, [](Report& r) { r.image_id[0] ^= 1; }},
      {"snp.id_key", Code::snp_launch_identity, [](Report& r) { r.id_key_digest[0] ^= 1; }},
      {"snp.author_key", Code::snp_launch_identity, [](Report& r) { r.author_key_digest[0] ^= 1; }},
      {"snp.author_key", Code::snp_launch_identity, [](Report& r) { r.author_key = false; }},
      {"snp.guest_svn", Code::snp_launch_identity, [](Report& r) { r.guest_svn = 2; }},
  };
  for (const Row& row : rows) {
    INFO(row.claim);
    Report report = base;
    row.change(report);
    claims.clear();
    CHECK(code_name(appraise(verified(chip, report), reference, claims)) == std::string(code_name(row.code)));
    const Claim* claim = claim_of(claims, row.claim);
    REQUIRE(claim != nullptr);
    CHECK(claim->result == ClaimResult::failed);
    CHECK(claim->expected != "");
    CHECK(claim->seen != "");
    CHECK(claim->why != "");
    size_t failed = 0;
    for (const Claim& other : claims) failed += other.result == ClaimResult::failed;
    CHECK(failed == 1);
  }

  Reference other = reference;
  other.chips = {ChipId{1}};
  claims.clear();
  CHECK(appraise(verified(chip, base), other, claims) == Code::snp_chip_refused);
  other = reference;
  other.products = {Product::milan, Product::turin};
  claims.clear();
  CHECK(appraise(verified(chip, base), other, claims) == Code::snp_product);
  CHECK(claim_of(claims, "snp.product")->expected == "Milan or Turin");
  other = reference;
  other.reported->snp = 23;
  claims.clear();
  CHECK(appraise(verified(chip, base), other, claims) == Code::snp_tcb_low);
  CHECK(claim_of(claims, "snp.tcb.reported")->seen == "bootloader 4, tee 1, snp 22, microcode 213");
  other = reference;
  other.policy.smt = other.platform.smt = false;
  claims.clear();
  CHECK(appraise(verified(chip, base), other, claims) == Code::snp_policy);
  CHECK(claim_of(claims, "snp.policy.smt")->result == ClaimResult::failed);
  CHECK(claim_of(claims, "snp.platform.smt")->result == ClaimResult::failed);
  other = reference;
  other.providers = {"Example Cloud"};
  claims.clear();
  CHECK(appraise(verified(chip, base), other, claims) == Code::snp_chip_refused);
}

TEST_CASE("a provider's key, and a chip that is not told") {
  SnpChip cloud(Product::milan, Signer::vlek);
  Report report = cloud.report();
  Reference reference;
  reference.measurements = {report.measurement};
  reference.providers = {"Other Cloud", "Example Cloud"};
  std::vector<Claim> claims;
  CHECK(appraise(verified(cloud, report), reference, claims) == Code::ok);
  reference.chips = {report.chip_id};
  CHECK(appraise(verified(cloud, report), reference, claims) == Code::ok);
  report.chip_id = {};
  CHECK(appraise(verified(cloud, report), reference, claims) == Code::snp_chip_refused);
  std::vector<Fact> facts;
  facts_of(verified(cloud, report), facts);
  bool masked = false;
  for (const Fact& fact : facts) {
    masked = masked || (fact.name == "snp.chip_id" && fact.value == "masked");
    CHECK(fact.value.size() <= 256);
  }
  CHECK(masked);
}

TEST_CASE("a set pins roots of its own, and AMD's otherwise") {
  SnpChip chip(Product::turin);
  Report report = chip.report();
  auto reference = parse(chip.reference_json(report));
  REQUIRE(reference.ok());
  ReportStep step = ReportStep::form;
  CHECK(verify_report(chip.sign(report), views(chip.certificates()), reference->verify_policy(kNow), {}, step).ok());
  reference->roots.clear();
  CHECK(verify_report(chip.sign(report), views(chip.certificates()), reference->verify_policy(kNow), {}, step).code() ==
        Code::snp_chain);
}

TEST_CASE("what a machine expects of its peers, a processor with other levels does not pass") {
  SnpChip genoa(Product::genoa), milan(Product::milan);
  Report own = genoa.report(), peer = milan.report();
  peer.measurement = own.measurement;
  peer.launch_tcb = Tcb{0, 127, 127, 127, 255}.raw(Product::milan);
  std::vector<Claim> claims;
  CHECK(appraise(verified(genoa, own), Reference::own(verified(genoa, own)), claims) == Code::ok);
  CHECK(appraise(verified(milan, peer), Reference::own(verified(genoa, own)), claims) == Code::snp_product);
}
