#include "attest/reference/appraise.h"

#include "crypto/base/json.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;

namespace {
ReferenceValues values(std::vector<ReferenceSet> sets = {reference_set()}) {
  ReferenceValues out;
  out.sets = std::move(sets);
  return out;
}

PcrReference& pcr(ReferenceSet& set, uint8_t index) {
  for (PcrReference& one : set.pcrs) {
    if (one.index == index) return one;
  }
  REQUIRE(false);
  return set.pcrs[0];
}

// A set for another image: `component` of `index` has another digest, and so the PCR another value.
ReferenceSet other_image(uint8_t index, const std::string& component) {
  ReferenceSet set = reference_set();
  PcrReference& one = pcr(set, index);
  bool found = false;
  for (ReferenceEvent& event : one.events) {
    if (event.component != component) continue;
    event.digest[0] ^= 1;
    found = true;
  }
  REQUIRE(found);
  Digest32 value{};
  for (const ReferenceEvent& event : one.events) value = *sha256({value, event.digest});
  one.expected = {value};
  return set;
}

Verdict judge(const Parts& parts, const ReferenceValues& references, ClusterRule rule = ClusterRule::any,
              Digest32 cluster = {}, int64_t now = kNow) {
  AppraisalPolicy policy;
  policy.values = &references;
  policy.cluster = rule;
  policy.cluster_id = cluster;
  policy.now = now;
  return appraise(parts.encode(), test_binding(), policy);
}

const Claim* claim(const Verdict& verdict, const std::string& name) {
  for (const Claim& one : verdict.claims) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

ReferenceSet endorsed_set() {
  ReferenceSet set = reference_set();
  set.allow_unendorsed_ak = false;
  set.ek_roots = {load("tpm/root.der")};
  return set;
}
}  // namespace

TEST_CASE("appraise: true evidence passes, from every kind of key") {
  for (const char* name : {"ecc", "ecc-tree", "rsa-pss", "rsa-pkcs1"}) {
    Verdict verdict = judge(Parts::of(name), values());
    INFO(verdict.to_text());
    CHECK(verdict.passed());
    CHECK(verdict.reference_set == "test-1");
    CHECK(verdict.roles == reference_set().roles);
    CHECK(!verdict.endorsed);
    CHECK(trust_vector(verdict).instance_identity == 0);  // nobody vouches for the key
    CHECK(verdict.summary() == "passed: qemu-vtpm, set test-1, not endorsed");
    CHECK(equal(Bytes(reinterpret_cast<const uint8_t*>(verdict.pcrs.data()), kPcrValues), load("tpm/pcrs.bin")));
  }
}

TEST_CASE("appraise: evidence without an event log passes by its values") {
  Parts parts = Parts::of("ecc");
  parts.event_log.clear();
  CHECK(judge(parts, values()).passed());
  Verdict verdict = judge(parts, values({other_image(9, "initrd")}));
  CHECK(verdict.code == Code::reference_mismatch);
  CHECK(claim(verdict, "pcr9")->why == "no event log tells what was measured into it");
}

TEST_CASE("appraise: what was booted is told, and a set that asks for Secure Boot refuses a machine without it") {
  Verdict verdict = judge(Parts::of("ecc"), values());
  std::string facts;
  for (const Fact& fact : verdict.facts) facts += fact.name + "=" + fact.value + "\n";
  CHECK(facts.find("boot.firmware=2025.02-8+deb13u1\n") != std::string::npos);
  CHECK(facts.find("boot.secure_boot=off\n") != std::string::npos);
  CHECK(facts.find("boot.image.0.claimed=\\EFI\\BOOT\\BOOTX64.EFI\n") != std::string::npos);
  CHECK(claim(verdict, "secure_boot") == nullptr);

  ReferenceSet set = reference_set();
  set.secure_boot = true;
  verdict = judge(Parts::of("ecc"), values({set}));
  CHECK(verdict.code == Code::reference_mismatch);
  CHECK(verdict.roles == 0);
  CHECK(claim(verdict, "secure_boot")->result == ClaimResult::failed);
  CHECK(claim(verdict, "secure_boot")->seen == "off");
  CHECK(claim(verdict, "secure_boot")->why == "the variable SecureBoot is empty");
  Parts silent = Parts::of("ecc");
  silent.event_log.clear();
  verdict = judge(silent, values({set}));
  CHECK(verdict.code == Code::reference_mismatch);
  CHECK(claim(verdict, "secure_boot")->why == "no event log tells whether it was on");
}

TEST_CASE("appraise: each lie has its own code") {
  struct Row {
    const char* name;
    std::function<void(Parts&)> lie;
    Code code;
    const char* claim;
  };
  const Row rows[] = {
      {"a cut", [](Parts& p) { p.merkle.clear(); }, Code::evidence_malformed, "evidence.form"},
      {"a variant without reference values", [](Parts& p) { p.variant = Variant::tpm; }, Code::variant_unknown,
       "evidence.variant"},
      {"a TPM's evidence for a machine without one", [](Parts& p) { p.variant = Variant::tdx; },
       Code::evidence_malformed, "evidence.form"},
      {"a broken tree", [](Parts& p) { p.merkle[7] = 2; }, Code::merkle_path, "quote.tree"},
      {"a quote cut short", [](Parts& p) { p.quote.pop_back(); }, Code::truncated, "quote.form"},
      {"not made by a TPM", [](Parts& p) { p.quote[0] = 0; }, Code::quote_magic, "quote.magic"},
      {"not a quote",
       [](Parts& p) {
         p.quote = load("tpm/certify.quote");
         p.signature = load("tpm/certify.signature");
       },
       Code::quote_type, "quote.type"},
      {"a key that signs anything", [](Parts& p) { p = Parts::of("free"); }, Code::quote_key, "ak.attributes"},
      {"another key", [](Parts& p) { p.ak_public.back() ^= 1; }, Code::quote_key, "ak.name"},
      {"another signature", [](Parts& p) { p.signature.back() ^= 1; }, Code::quote_signature, "quote.signature"},
      {"another session",
       [](Parts& p) {
         p = Parts::of("ecc-tree");
         p.merkle = load("tpm/merkle.bin");
       },
       Code::quote_nonce, "quote.nonce"},
      {"a few PCRs", [](Parts& p) { p = Parts::of("partial"); }, Code::quote_selection, "quote.selection"},
      {"other PCR values", [](Parts& p) { p.pcr_values[0] ^= 1; }, Code::quote_digest, "quote.digest"},
      {"a malformed log", [](Parts& p) { p.event_log.pop_back(); }, Code::log_malformed, "log.form"},
      {"a log of something else",
       [](Parts& p) {
         // The digest of the first event behind the header: 32 + 37 bytes of header, 14 of the event.
         p.event_log[32 + p.event_log[28] + 14] ^= 1;
       },
       Code::log_replay, "log.replay"},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Parts parts = Parts::of("ecc");
    row.lie(parts);
    Verdict verdict = judge(parts, values());
    INFO(verdict.to_text());
    CHECK(named(verdict.code) == named(row.code));
    REQUIRE(claim(verdict, row.claim) != nullptr);
    CHECK(claim(verdict, row.claim)->result == ClaimResult::failed);
    CHECK(verdict.roles == 0);
    CHECK(verdict.summary().find(code_name(row.code)) == 0);
  }
}

TEST_CASE("appraise: the session that the quote was made for, and no other") {
  AppraisalPolicy policy;
  ReferenceValues references = values();
  policy.values = &references;
  policy.now = kNow;
  Buffer evidence = Parts::of("ecc").encode();
  Digest32 binding = test_binding();
  CHECK(appraise(evidence, binding, policy).passed());
  binding[31] ^= 1;
  Verdict verdict = appraise(evidence, binding, policy);
  CHECK(verdict.code == Code::quote_nonce);
  CHECK(claim(verdict, "quote.nonce")->expected.size() == 64);
  CHECK(claim(verdict, "quote.nonce")->seen.size() == 64);
}

TEST_CASE("appraise: no reference values, no pass") {
  AppraisalPolicy policy;
  policy.now = kNow;
  CHECK(appraise(Parts::of("ecc").encode(), test_binding(), policy).code == Code::reference_empty);
  ReferenceValues none;
  policy.values = &none;
  CHECK(appraise(Parts::of("ecc").encode(), test_binding(), policy).code == Code::variant_unknown);
}

TEST_CASE("appraise: the verdict names the component that differs") {
  struct Row {
    uint8_t index;
    const char* component;
  };
  for (Row row : {Row{9, "initrd"}, Row{9, "kernel command line"}, Row{4, "unified kernel image"}, Row{4, "kernel"}}) {
    Verdict verdict = judge(Parts::of("ecc"), values({other_image(row.index, row.component)}));
    INFO(verdict.to_text());
    CHECK(verdict.code == Code::reference_mismatch);
    const Claim* one = claim(verdict, "pcr" + std::to_string(row.index));
    REQUIRE(one != nullptr);
    CHECK(one->result == ClaimResult::failed);
    CHECK(one->component == row.component);
    CHECK(one->why.find("differs") != std::string::npos);
    std::string head = "reference_mismatch: pcr" + std::to_string(row.index) + " (" + row.component + ") differs from set test-1";
    CHECK(verdict.summary().find(head) == 0);
    CHECK(verdict.summary().size() <= 512);
  }
}

TEST_CASE("appraise: an initrd that differs in PCRs 4, 9 and 11 is reported as the initrd") {
  ReferenceSet set = other_image(9, "initrd");
  pcr(set, 4) = pcr(*std::make_unique<ReferenceSet>(other_image(4, "unified kernel image")), 4);
  pcr(set, 11) = pcr(*std::make_unique<ReferenceSet>(other_image(11, "section 7")), 11);
  Verdict verdict = judge(Parts::of("ecc"), values({set}));
  CHECK(verdict.summary().find("reference_mismatch: pcr9 (initrd) differs") == 0);
  size_t failures = 0;
  for (const Claim& one : verdict.claims) failures += one.result == ClaimResult::failed ? 1 : 0;
  CHECK(failures == 3);
}

TEST_CASE("appraise: an event too many or too few is said") {
  ReferenceSet fewer = reference_set();
  pcr(fewer, 9).events.pop_back();
  pcr(fewer, 9).expected[0][0] ^= 1;
  Verdict verdict = judge(Parts::of("ecc"), values({fewer}));
  CHECK(claim(verdict, "pcr9")->why.find("is one too many: initrd") != std::string::npos);
  ReferenceSet more = reference_set();
  pcr(more, 9).events.push_back({test_binding(), "addon"});
  pcr(more, 9).expected[0][0] ^= 1;
  verdict = judge(Parts::of("ecc"), values({more}));
  CHECK(claim(verdict, "pcr9")->component == "addon");
  CHECK(claim(verdict, "pcr9")->why.find("the log lacks the event of addon") == 0);
  ReferenceSet none = reference_set();
  pcr(none, 9).events.clear();
  pcr(none, 9).expected[0][0] ^= 1;
  verdict = judge(Parts::of("ecc"), values({none}));
  CHECK(claim(verdict, "pcr9")->why == "the reference set lists no events for it; the log has 2");
}

TEST_CASE("appraise: a PCR that is not enforced warns") {
  ReferenceSet set = other_image(9, "initrd");
  pcr(set, 9).enforce = false;
  Verdict verdict = judge(Parts::of("ecc"), values({set}));
  CHECK(verdict.passed());
  CHECK(claim(verdict, "pcr9")->result == ClaimResult::warned);
}

TEST_CASE("appraise: any of several expected values will do") {
  ReferenceSet set = reference_set();
  pcr(set, 9).expected.insert(pcr(set, 9).expected.begin(), test_binding());
  CHECK(judge(Parts::of("ecc"), values({set})).passed());
}

TEST_CASE("appraise: the set that fits is chosen, else the one that comes closest") {
  ReferenceSet far = other_image(9, "initrd");
  far.id = "far";
  pcr(far, 4) = pcr(*std::make_unique<ReferenceSet>(other_image(4, "kernel")), 4);
  ReferenceSet near = other_image(4, "kernel");
  near.id = "near";
  near.roles = 1 << static_cast<unsigned>(Role::worker);
  ReferenceSet fits = reference_set();
  fits.id = "fits";
  CHECK(judge(Parts::of("ecc"), values({far, near, fits})).reference_set == "fits");
  Verdict verdict = judge(Parts::of("ecc"), values({far, near}));
  CHECK(verdict.reference_set == "near");
  CHECK(verdict.code == Code::reference_mismatch);
  CHECK(verdict.roles == 0);
}

TEST_CASE("appraise: a set outside its window does not count") {
  CHECK(judge(Parts::of("ecc"), values(), ClusterRule::any, {}, kNow - 86401).code == Code::reference_expired);
  CHECK(judge(Parts::of("ecc"), values(), ClusterRule::any, {}, kNow - 86400).passed());
  CHECK(judge(Parts::of("ecc"), values(), ClusterRule::any, {}, kNow + 86399).passed());
  CHECK(judge(Parts::of("ecc"), values(), ClusterRule::any, {}, kNow + 86400).code == Code::reference_expired);
  ReferenceSet next = reference_set();
  next.id = "next";
  next.not_before = kNow + 86400;
  next.not_after = kNow + 2 * 86400;
  Verdict verdict = judge(Parts::of("ecc"), values({reference_set(), next}), ClusterRule::any, {}, kNow + 86400);
  CHECK(verdict.passed());
  CHECK(verdict.reference_set == "next");
}

TEST_CASE("appraise: a document that has expired since it was read accepts nobody") {
  ReferenceValues document = values();
  document.expires = kNow + 60;
  CHECK(judge(Parts::of("ecc"), document, ClusterRule::any, {}, kNow + 59).passed());
  CHECK(judge(Parts::of("ecc"), document, ClusterRule::any, {}, kNow + 59).validity.not_after == kNow + 60);
  Verdict late = judge(Parts::of("ecc"), document, ClusterRule::any, {}, kNow + 60);
  CHECK(late.code == Code::reference_expired);
  CHECK(late.roles == 0);
}

TEST_CASE("appraise: endorsement") {
  ReferenceSet strict = endorsed_set();
  ReferenceSet loose = endorsed_set();
  loose.allow_unendorsed_ak = true;
  ReferenceSet issuer = endorsed_set();
  issuer.ek_roots = {load("tpm/issuer.der")};
  ReferenceSet stranger = endorsed_set();
  stranger.ek_roots = {load("tpm/ek.der")};
  ReferenceSet metal = endorsed_set();
  metal.variant = Variant::tpm;
  ReferenceSet metal_loose = metal;  // the loader refuses it; appraisal does too
  metal_loose.allow_unendorsed_ak = true;
  struct Row {
    const char* name;
    ReferenceSet set;
    bool certificate, chain;
    Code code;
    bool endorsed;
  };
  const Row rows[] = {
      {"chain to the pinned root", strict, true, true, Code::ok, true},
      {"no certificate", strict, false, false, Code::ek_missing, false},
      {"no intermediate", strict, true, false, Code::ek_chain, false},
      {"pinned issuer, no chain sent", issuer, true, false, Code::ok, true},
      {"pinned issuer, chain sent", issuer, true, true, Code::ok, true},
      {"a pin of the certificate itself is no root", stranger, true, true, Code::ek_chain, false},
      {"allowed without: chain", loose, true, true, Code::ok, true},
      {"allowed without: no certificate", loose, false, false, Code::ok, false},
      {"allowed without: a bad chain is none", loose, true, false, Code::ok, false},
      {"bare metal: chain", metal, true, true, Code::ok, true},
      {"bare metal: no certificate", metal, false, false, Code::ek_missing, false},
      {"bare metal: a bad chain", metal, true, false, Code::ek_chain, false},
      {"bare metal is never allowed without", metal_loose, false, false, Code::ek_missing, false},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Parts parts = Parts::of("ecc").endorsed();
    parts.variant = row.set.variant;
    if (!row.chain) parts.ek_chain.clear();
    if (!row.certificate) parts.ek_certificate.clear();
    Verdict verdict = judge(parts, values({row.set}));
    INFO(verdict.to_text());
    CHECK(named(verdict.code) == named(row.code));
    CHECK(verdict.endorsed == row.endorsed);
  }
}

TEST_CASE("appraise: damage to an endorsement never endorses") {
  Parts good = Parts::of("ecc").endorsed();
  REQUIRE(judge(good, values({endorsed_set()})).endorsed);
  size_t step = 0;
  each_damage(good.ek_certificate, [&](const Buffer& damaged, const std::string& what) {
    if (++step % 7 != 0) return;  // the whole table is crypto/x509's; this is the way through appraisal
    Parts bad = good;
    bad.ek_certificate = damaged;
    INFO(what);
    if (damaged.empty()) return;
    Verdict verdict = judge(bad, values({endorsed_set()}));
    CHECK(verdict.code == Code::ek_chain);
    CHECK(!verdict.endorsed);
  });
}

TEST_CASE("appraise: identity is the endorsement key's when endorsed, else the AK's") {
  Parts parts = Parts::of("ecc").endorsed();
  Verdict endorsed = judge(parts, values({endorsed_set()}));
  Verdict tree = judge([] {
    Parts p = Parts::of("child").endorsed();
    return p;
  }(), values({endorsed_set()}));
  Verdict plain = judge(Parts::of("ecc"), values());
  Verdict other = judge(Parts::of("rsa-pss"), values());
  CHECK(endorsed.passed());
  CHECK(tree.passed());
  CHECK(endorsed.identity == tree.identity);
  CHECK(plain.identity != endorsed.identity);
  CHECK(plain.identity != other.identity);
  CHECK(plain.identity != Digest32{});
}

TEST_CASE("appraise: the cluster rule") {
  Digest32 cluster = test_binding();
  Result<Digest32> value = cluster_pcr(cluster);
  REQUIRE(value.ok());
  // SHA-256(0³² ‖ SHA-256(00 01 … 1f)), by python3's hashlib.
  CHECK(to_hex(*value) == "a50dd72494e3fc05b10b15491b2cd5ced7fba50d26db6d330e630a0550c72a95");
  // The vectors' machine is in no cluster.
  CHECK(judge(Parts::of("ecc"), values(), ClusterRule::any).passed());
  CHECK(judge(Parts::of("ecc"), values(), ClusterRule::outside).passed());
  Verdict inside = judge(Parts::of("ecc"), values(), ClusterRule::inside);
  CHECK(inside.code == Code::cluster_mismatch);
  CHECK(claim(inside, "cluster")->seen == "in no cluster");
  Verdict exactly = judge(Parts::of("ecc"), values(), ClusterRule::exactly, cluster);
  CHECK(exactly.code == Code::cluster_mismatch);
  CHECK(claim(exactly, "cluster")->expected == to_hex(*value));

  // The same TPM after the node lock.
  CHECK(judge(Parts::of("joined"), values(), ClusterRule::exactly, cluster).passed());
  CHECK(judge(Parts::of("joined"), values(), ClusterRule::inside).passed());
  CHECK(judge(Parts::of("joined"), values(), ClusterRule::any).passed());
  CHECK(judge(Parts::of("joined"), values(), ClusterRule::outside).code == Code::pcr_not_zero);
  cluster[0] ^= 1;
  CHECK(judge(Parts::of("joined"), values(), ClusterRule::exactly, cluster).code == Code::cluster_mismatch);
}

TEST_CASE("appraise: a machine that fails its set is not excused by the cluster, nor the other way round") {
  CHECK(judge(Parts::of("joined"), values({other_image(9, "initrd")}), ClusterRule::outside).code ==
        Code::reference_mismatch);
}

TEST_CASE("appraise: every cut and every fifth flipped bit outside of descriptions is refused") {
  const Buffer good = Parts::of("ecc-tree").encode();
  ReferenceValues references = values();
  AppraisalPolicy policy;
  policy.values = &references;
  policy.now = kNow;
  REQUIRE(appraise(good, test_binding(), policy).passed());
  // Where the log lies: its descriptions are not covered by any digest, and where the tree's size lies.
  Result<Evidence> view = Evidence::decode(good);
  REQUIRE(view.ok());
  size_t log_from = static_cast<size_t>(view->event_log.data() - good.data());
  size_t log_to = log_from + view->event_log.size();
  size_t size_from = log_to + 6 + 4;
  size_t flips = 0;
  each_damage(good, [&](const Buffer& damaged, const std::string& what) {
    bool same_size = damaged.size() == good.size();
    if (same_size && ++flips % 5 != 0) return;  // each bit of each item: verify_test.cc; this is the way through it all
    size_t at = 0;
    while (at < damaged.size() && at < good.size() && damaged[at] == good[at]) ++at;
    if (same_size && ((at >= log_from && at < log_to) || (at >= size_from && at < size_from + 4))) return;
    if (appraise(damaged, test_binding(), policy).passed()) FAIL_CHECK(what);
  });
}

TEST_CASE("verdict: text and JSON say the same") {
  Verdict verdict = judge(Parts::of("ecc"), values({other_image(9, "initrd")}));
  Result<nlohmann::json> json = parse_json(verdict.to_json(), 65536);
  REQUIRE(json.ok());
  CHECK((*json)["passed"] == false);
  CHECK((*json)["code"] == "reference_mismatch");
  CHECK((*json)["number"] == 317);
  CHECK((*json)["reference_set"] == "test-1");
  CHECK((*json)["variant"] == "qemu-vtpm");
  CHECK((*json)["roles"].empty());
  CHECK((*json)["pcrs"].size() == kPcrCount);
  CHECK((*json)["claims"].size() == verdict.claims.size());
  CHECK((*json)["summary"] == verdict.summary());
  std::string text = verdict.to_text();
  CHECK(text.find("REFUSED: reference_mismatch") == 0);
  CHECK(text.find("failed  pcr9              initrd\n") != std::string::npos);
  CHECK(text.find("what to do: ") != std::string::npos);
}
