// Every variant, issued and appraised: an honest machine passes, each lie of the table has its own error, and no flipped bit of
// what is signed passes. docs/platforms.md holds the outcome as a table; this test fails when the two differ.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "crypto/base/fd.h"
#include "crypto/base/log.h"
#include "crypto/x509.h"
#include "tests/attest/platform/lies.h"

namespace cstl {
namespace {

using test::CloudMachine;
using test::kAllVariants;
using test::Lie;
using test::OwnedEvidence;

const Digest32 kBinding{0xb1};

Verdict judge(Bytes evidence, const CloudMachine& machine, const ReferenceSet& set, ClusterRule rule = ClusterRule::outside,
              const Digest32& cluster = {}) {
  ReferenceValues values;
  values.sets = {set};
  AppraisalPolicy policy;
  policy.values = &values;
  policy.cluster = rule;
  policy.cluster_id = cluster;
  policy.now = machine.now();
  return appraise(evidence, kBinding, policy);
}

bool claim_failed(const Verdict& verdict, const std::string& name) {
  for (const Claim& claim : verdict.claims) {
    if (claim.name == name && claim.result == ClaimResult::failed) return true;
  }
  return false;
}

std::string named(Code code) { return code_name(code); }

struct Outcome {
  bool issued = false, verified = false, explained = false;
  size_t flips = 0, lies = 0;
};
std::map<Variant, Outcome>& outcomes() {
  static std::map<Variant, Outcome> out;
  return out;
}

TEST_CASE("an honest machine of every variant passes, keeps its identity, and shows its cluster") {
  for (Variant variant : kAllVariants) {
    CAPTURE(std::string(variant_name(variant)));
    CloudMachine machine(variant);
    auto evidence = machine.evidence(kBinding);
    INFO(describe(evidence.error()));
    REQUIRE(evidence.ok());
    outcomes()[variant].issued = true;
    Verdict verdict = judge(*evidence, machine, machine.set);
    INFO(verdict.to_text());
    REQUIRE(named(verdict.code) == "ok");
    CHECK(verdict.endorsed);
    CHECK(verdict.activation == (ak_root_of(variant) == AkRoot::ek));
    CHECK(verdict.roles == 1 << static_cast<unsigned>(Role::worker));
    CHECK(verdict.validity.not_after <= machine.set.not_after);

    // The set survives its text.
    ReferenceValues values;
    values.sets = {machine.set};
    std::string problem;
    auto parsed = ReferenceValues::parse(values.to_json(), machine.now(), &problem);
    INFO(problem);
    REQUIRE(parsed.ok());
    CHECK(parsed->to_json() == values.to_json());
    CHECK(named(judge(*evidence, machine, parsed->sets[0]).code) == "ok");

    // Another session, another machine's binding.
    AppraisalPolicy policy;
    policy.values = &values;
    policy.now = machine.now();
    CHECK(!appraise(*evidence, Digest32{1}, policy).passed());

    // Into a cluster: it shows, once and for good.
    const Digest32 cluster{0xc1};
    REQUIRE(machine.platform->in_cluster().ok());
    CHECK_FALSE(*machine.platform->in_cluster());
    CHECK(machine.platform->check_cluster(cluster).code() == Code::cluster_mismatch);
    REQUIRE(machine.platform->enter_cluster(cluster).ok());
    CHECK(machine.platform->check_cluster(cluster).ok());
    CHECK(machine.platform->check_cluster(Digest32{0xc2}).code() == Code::cluster_mismatch);
    CHECK(machine.platform->enter_cluster(cluster).code() == Code::pcr_not_zero);
    auto inside = machine.evidence(kBinding);
    REQUIRE(inside.ok());
    Verdict member = judge(*inside, machine, machine.set, ClusterRule::exactly, cluster);
    INFO(member.to_text());
    CHECK(named(member.code) == "ok");
    CHECK(member.identity == verdict.identity);
    CHECK(named(judge(*inside, machine, machine.set, ClusterRule::outside).code) == "pcr_not_zero");
    CHECK(named(judge(*inside, machine, machine.set, ClusterRule::exactly, Digest32{0xc2}).code) == "cluster_mismatch");
    CHECK(named(judge(*evidence, machine, machine.set, ClusterRule::inside).code) == "cluster_mismatch");
    outcomes()[variant].verified = true;
  }
}

TEST_CASE("every lie has its own error, and the verdict names the claim") {
  for (const Lie& lie : test::lies()) {
    CAPTURE(std::string(variant_name(lie.variant)));
    CAPTURE(lie.name);
    test::CloudFacts facts;
    if (lie.platform) lie.platform(facts);
    CloudMachine machine(lie.variant, facts);
    REQUIRE(machine.open().ok());
    if (lie.in_cluster) REQUIRE(machine.platform->enter_cluster(Digest32{0xc1}).ok());
    auto evidence = machine.evidence(kBinding);
    REQUIRE(evidence.ok());
    OwnedEvidence parts = OwnedEvidence::of(*evidence);
    if (lie.evidence) lie.evidence(parts);
    Verdict verdict = judge(parts.encode(), machine, machine.set);
    INFO(verdict.to_text());
    CHECK(named(verdict.code) == named(lie.code));
    CHECK(claim_failed(verdict, lie.claim));
    CHECK(verdict.roles == 0);
    const bool explained = verdict.summary().find(code_name(lie.code)) == 0 && !verdict.to_text().empty();
    CHECK(explained);
    if (verdict.code == lie.code && explained) {
      ++outcomes()[lie.variant].lies;
      outcomes()[lie.variant].explained = true;
    }
  }
}

// Of the last certificate in a list: AMD's root, of which the set pins the key, whatever else its certificate says.
size_t root_size(const std::vector<uint8_t>& list) {
  Reader r(list);
  size_t last = 0;
  while (r.remaining() > 0) {
    auto one = r.bytes16(kMaxCertificate);
    REQUIRE(one.ok());
    last = 2 + one->size();
  }
  return last;
}

TEST_CASE("no flipped bit passes, but in what is only shown") {
  for (Variant variant : kAllVariants) {
    CAPTURE(std::string(variant_name(variant)));
    CloudMachine machine(variant);
    auto made = machine.evidence(kBinding);
    REQUIRE(made.ok());
    const OwnedEvidence whole = OwnedEvidence::of(*made);
    size_t flips = 0;
    auto each = [&](std::vector<uint8_t> OwnedEvidence::*item, const char* name, bool shown) {
      size_t size = (whole.*item).size();
      if (item == &OwnedEvidence::tee_certificates) size -= root_size(whole.*item);
      const size_t step = size / 60 + 1;  // about sixty per item, another bit each
      for (size_t at = 0, bit = 0; at < size; at += step, ++bit) {
        OwnedEvidence parts = whole;
        (parts.*item)[at] = static_cast<uint8_t>((parts.*item)[at] ^ (1u << (bit % 8)));
        Verdict verdict = judge(parts.encode(), machine, machine.set);
        ++flips;
        if (shown) continue;
        const std::string where = std::string(name) + " byte " + std::to_string(at) + " bit " + std::to_string(bit % 8);
        INFO(where);
        INFO(verdict.to_text());
        CHECK_FALSE(verdict.passed());
      }
    };
    each(&OwnedEvidence::quote, "quote", false);
    each(&OwnedEvidence::signature, "signature", false);
    each(&OwnedEvidence::ak_public, "ak_public", false);
    each(&OwnedEvidence::pcr_values, "pcr_values", false);
    each(&OwnedEvidence::ek_certificate, "ek_certificate", ak_root_of(variant) != AkRoot::ek);
    each(&OwnedEvidence::ek_chain, "ek_chain", true);  // whoever issued it may be sent in any state, or not at all
    each(&OwnedEvidence::event_log, "event_log", true);  // descriptions are the writer's word
    each(&OwnedEvidence::ak_certificate, "ak_certificate", false);
    each(&OwnedEvidence::tee_report, "tee_report", false);
    each(&OwnedEvidence::tee_certificates, "tee_certificates", false);
    each(&OwnedEvidence::tee_collateral, "tee_collateral", false);
    each(&OwnedEvidence::runtime_data, "runtime_data", false);
    each(&OwnedEvidence::registers, "registers", false);
    outcomes()[variant].flips = flips;
  }
}

const char* tested_on(Variant variant) {
  switch (variant) {
    case Variant::qemu_tdx:
    case Variant::sev_snp:
    case Variant::tdx: return "test hierarchy, fake device";
    case Variant::aws_nitro_tpm: return "swtpm, test hypervisor";
    case Variant::aws_sev_snp: return "swtpm, test hypervisor, test hierarchy, fake device";
    case Variant::azure_sev_snp:
    case Variant::azure_tdx: return "swtpm, test hierarchy, local metadata service";
    case Variant::azure_trustedlaunch:
    case Variant::gcp_sev_es: return "swtpm, test authority";
    case Variant::gcp_sev_snp: return "swtpm, test authority, test hierarchy, fake device";
    default: return "swtpm";
  }
}

// The last case: what the others of this run showed.
TEST_CASE("the table in docs/platforms.md is what this run showed") {
  auto page = read_file("docs/platforms.md", 1 << 20);
  REQUIRE(page.ok());
  const std::string text(Bytes(*page).text());
  for (Variant variant : kAllVariants) {
    const Outcome& seen = outcomes()[variant];
    REQUIRE_MESSAGE((seen.verified && seen.flips > 0 && seen.lies > 0), "run all cases of this program together");
    const std::string row = std::string("| ") + variant_name(variant) + " | " + (seen.issued ? "yes" : "no") + " | " +
                            (seen.verified ? "yes" : "no") + " | " + std::to_string(seen.lies) + " lies | refused | " +
                            tested_on(variant) + " |\n";
    INFO(row);
    CHECK(text.find(row) != std::string::npos);
  }
}

}  // namespace
}  // namespace cstl
