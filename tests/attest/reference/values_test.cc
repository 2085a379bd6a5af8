#include "attest/reference/values.h"

#include "crypto/base/base64.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;

namespace {
const std::string kDigest(64, 'a');

// A set that loads; rows replace parts of it.
std::string document() {
  return R"({"cstl": "reference-values/1", "sets": [{"id": "a-1", "variant": "qemu-vtpm",
  "not_before": "2027-01-01T00:00:00Z", "not_after": "2027-02-01T00:00:00Z", "roles": ["control-plane", "worker"],
  "pcrs": {"4": {"expected": [")" + kDigest + R"("], "enforce": true, "component": "image",
  "events": [{"digest": ")" + kDigest + R"(", "component": "kernel"}]}, "11": {"expected": [")" + kDigest +
         R"("], "enforce": false}}, "allow_unendorsed_ak": true}]})";
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = document();
  size_t at = text.find(from);
  REQUIRE_MESSAGE(at != std::string::npos, from);
  return text.replace(at, from.size(), to);
}

std::string root() { return to_base64(load("tpm/root.der")); }

std::string many(const std::string& one, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += (i == 0 ? "" : ", ") + one;
  return out;
}

std::string digests(size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    std::string hex = std::to_string(100 + i) + std::string(61, '0');
    out += (i == 0 ? "\"" : ", \"") + hex + "\"";
  }
  return out;
}

std::string sets(size_t count) {
  std::string text = document(), one = text.substr(text.find("[{") + 1);
  one.resize(one.size() - 2);
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    std::string next = one;
    next.replace(next.find("a-1"), 3, "s" + std::to_string(i));
    out += (i == 0 ? "" : ", ") + next;
  }
  return R"({"cstl": "reference-values/1", "sets": [)" + out + "]}";
}
}  // namespace

TEST_CASE("reference values: a document loads, and its own form loads to itself") {
  std::string problem;
  Result<ReferenceValues> values = ReferenceValues::parse(document(), kNow, &problem);
  REQUIRE_MESSAGE(values.ok(), problem);
  REQUIRE(values->sets.size() == 1);
  const ReferenceSet& set = values->sets[0];
  CHECK(set.id == "a-1");
  CHECK(set.variant == Variant::qemu_vtpm);
  CHECK(set.not_before == 1798761600);
  CHECK(set.not_after == 1801440000);
  CHECK(set.admits(Role::control_plane));
  CHECK(set.admits(Role::worker));
  REQUIRE(set.pcrs.size() == 2);
  CHECK(set.pcrs[0].index == 4);
  CHECK(set.pcrs[0].enforce);
  CHECK(set.pcrs[0].component == "image");
  REQUIRE(set.pcrs[0].events.size() == 1);
  CHECK(set.pcrs[0].events[0].component == "kernel");
  CHECK(set.pcrs[1].index == 11);
  CHECK(!set.pcrs[1].enforce);
  CHECK(values->variants() == variant_bit(Variant::qemu_vtpm));
  std::string text = values->to_json();
  Result<ReferenceValues> again = ReferenceValues::parse(text, kNow, &problem);
  REQUIRE_MESSAGE(again.ok(), problem);
  CHECK(again->to_json() == text);
}

TEST_CASE("reference values: each refusal has its code and names the place") {
  struct Row {
    const char* name;
    std::string text;
    Code code;
    const char* problem;
  };
  const std::string tail = R"("allow_unendorsed_ak": true)";
  const std::string roots = R"("ek_roots": [")" + root() + R"("])";
  const std::string expected = R"({"expected": [")" + kDigest + R"("], "enforce": true})";
  const Row rows[] = {
      {"no JSON", "{", Code::bad_json, "not valid JSON"},
      {"too large", std::string(kMaxReferenceValues + 1, ' '), Code::too_long, "larger than 128 KiB"},
      {"too deep", std::string(20, '['), Code::bad_json, "not valid JSON"},
      {"a key twice", with("\"id\": \"a-1\",", "\"id\": \"a-1\", \"id\": \"a-2\","), Code::bad_json, "not valid JSON"},
      {"not an object", "[]", Code::reference_malformed, "must be an object"},
      {"another format", with("reference-values/1", "reference-values/2"), Code::reference_malformed, "cstl: "},
      {"no format", with("\"cstl\": \"reference-values/1\", ", ""), Code::reference_malformed, "cstl: is missing"},
      {"an unknown field", with("\"sets\"", "\"x\": 1, \"sets\""), Code::reference_malformed, "x: unknown field"},
      {"no sets", R"({"cstl": "reference-values/1", "sets": []})", Code::reference_empty, "sets: "},
      {"sets that are no list", R"({"cstl": "reference-values/1", "sets": {}})", Code::reference_malformed, "sets: "},
      {"32 sets", sets(32), Code::ok, ""},
      {"33 sets", sets(33), Code::reference_malformed, "sets: has too many"},
      {"an id twice", R"({"cstl": "reference-values/1", "sets": [)" +
                          many(document().substr(document().find("[{") + 1,
                                                 document().size() - document().find("[{") - 3), 2) + "]}",
       Code::reference_malformed, "sets[1].id: is there twice"},
      {"an unknown field in a set", with(tail, tail + ", \"pcr\": {}"), Code::reference_malformed,
       "sets[0].pcr: unknown field"},
      {"an empty id", with("a-1", ""), Code::reference_malformed, "sets[0].id: "},
      {"an id with capitals", with("a-1", "A-1"), Code::reference_malformed, "sets[0].id: "},
      {"an id too long", with("a-1", std::string(65, 'a')), Code::reference_malformed, "sets[0].id: "},
      {"an id that is a number", with("\"a-1\"", "1"), Code::reference_malformed, "sets[0].id: must be a string"},
      {"an unknown variant", with("qemu-vtpm", "vtpm"), Code::variant_unknown, "sets[0].variant: "},
      {"PCRs of a machine without TPM", with("qemu-vtpm", "sev-snp"), Code::reference_malformed,
       "sets[0].pcrs: this variant has no use for it"},
      {"a TEE's variant without its member", with("qemu-vtpm", "azure-sev-snp"), Code::reference_malformed,
       "sets[0].snp: is missing"},
      {"a TEE's member for another variant", with(tail, tail + ", \"tdx\": {}"), Code::reference_malformed,
       "sets[0].tdx: this variant has no use for it"},
      {"a certified AK without a root", with("qemu-vtpm", "azure-trustedlaunch"), Code::reference_malformed,
       "sets[0].allow_unendorsed_ak: the variant azure-trustedlaunch always needs an endorsement"},
      {"a root for AKs that nobody certifies", with(tail, tail + ", \"ak_roots\": []"), Code::reference_malformed,
       "sets[0].ak_roots: this variant has no use for it"},
      {"a time without zone", with("2027-01-01T00:00:00Z", "2027-01-01T00:00:00"), Code::reference_malformed,
       "sets[0].not_before: "},
      {"31 February", with("2027-02-01", "2027-02-31"), Code::reference_malformed, "sets[0].not_after: must be a time"},
      {"month 13", with("2027-02-01", "2027-13-01"), Code::reference_malformed, "sets[0].not_after: must be a time"},
      {"a window that ends before it begins", with("2027-02-01", "2026-02-01"), Code::reference_malformed,
       "sets[0].not_after: must be later"},
      {"a window that is over", with("2027-02-01", "2027-01-02"), Code::reference_expired, "sets[0]: every set"},
      {"a window to come", with("2027-01-01T00:00:00Z", "2027-01-31T00:00:00Z"), Code::reference_expired,
       "sets[0]: every set"},
      {"no roles", with("[\"control-plane\", \"worker\"]", "[]"), Code::reference_malformed, "sets[0].roles: "},
      {"an unknown role", with("\"worker\"", "\"owner\""), Code::reference_malformed, "sets[0].roles[1]: "},
      {"a role twice", with("\"worker\"", "\"control-plane\""), Code::reference_malformed,
       "sets[0].roles[1]: is there twice"},
      {"no PCRs", with(document().substr(document().find("\"pcrs\""),
                                          document().find(tail) - document().find("\"pcrs\"")), "\"pcrs\": {}, "),
       Code::reference_empty, "sets[0].pcrs: enforces nothing"},
      {"only warnings", with("\"enforce\": true", "\"enforce\": false"), Code::reference_empty,
       "sets[0].pcrs: enforces nothing"},
      {"PCR 24", with("\"4\"", "\"24\""), Code::reference_malformed, "sets[0].pcrs.24: "},
      {"PCR 04", with("\"4\"", "\"04\""), Code::reference_malformed, "sets[0].pcrs.04: "},
      {"PCR x", with("\"4\"", "\"x\""), Code::reference_malformed, "sets[0].pcrs.x: "},
      {"the cluster's PCR", with("\"4\"", "\"15\""), Code::reference_malformed, "sets[0].pcrs.15: "},
      {"no expected value", with("{\"expected\": [\"" + kDigest + "\"]", "{\"expected\": []"), Code::reference_empty,
       "sets[0].pcrs.4.expected: "},
      {"an expected value too short", with(kDigest, "aa"), Code::reference_malformed,
       "sets[0].pcrs.4.expected[0]: "},
      {"an expected value twice", with("[\"" + kDigest + "\"]", "[\"" + kDigest + "\", \"" + kDigest + "\"]"),
       Code::reference_malformed, "sets[0].pcrs.4.expected[1]: is there twice"},
      {"8 expected values", with("[\"" + kDigest + "\"]", "[" + digests(8) + "]"), Code::ok, ""},
      {"9 expected values", with("[\"" + kDigest + "\"]", "[" + digests(9) + "]"), Code::reference_malformed,
       "sets[0].pcrs.4.expected: has too many"},
      {"enforce that is a word", with("\"enforce\": true", "\"enforce\": \"true\""), Code::reference_malformed,
       "sets[0].pcrs.4.enforce: "},
      {"no word about enforcing", with("], \"enforce\": true", "]"), Code::reference_malformed,
       "sets[0].pcrs.4.enforce: is missing"},
      {"an unknown field in a PCR", with("\"component\": \"image\"", "\"comment\": \"image\""),
       Code::reference_malformed, "sets[0].pcrs.4.comment: unknown field"},
      {"a component with a line break", with("\"image\"", "\"a\\nb\""), Code::reference_malformed,
       "sets[0].pcrs.4.component: "},
      {"a component too long", with("\"image\"", "\"" + std::string(65, 'x') + "\""), Code::reference_malformed,
       "sets[0].pcrs.4.component: "},
      {"an event without component", with(", \"component\": \"kernel\"", ""), Code::reference_malformed,
       "sets[0].pcrs.4.events[0].component: is missing"},
      {"65 events", with("[{\"digest\": \"" + kDigest + "\", \"component\": \"kernel\"}]",
                         "[" + many("{\"digest\": \"" + kDigest + "\", \"component\": \"k\"}", 65) + "]"),
       Code::reference_malformed, "sets[0].pcrs.4.events: has too many"},
      {"neither root nor leave to go without", with(", " + tail, ""), Code::reference_malformed, "sets[0].ek_roots: "},
      {"leave that is a number", with(tail, "\"allow_unendorsed_ak\": 1"), Code::reference_malformed,
       "sets[0].allow_unendorsed_ak: "},
      {"Secure Boot asked for", with(tail, tail + ", \"secure_boot\": \"on\""), Code::ok, ""},
      {"Secure Boot that must be off", with(tail, tail + ", \"secure_boot\": \"off\""), Code::reference_malformed,
       "sets[0].secure_boot: must be \"on\", or left out"},
      {"Secure Boot that is a truth value", with(tail, tail + ", \"secure_boot\": true"), Code::reference_malformed,
       "sets[0].secure_boot: "},
      {"a pinned root", with(tail, roots), Code::ok, ""},
      {"a root that is no certificate", with(tail, R"("ek_roots": ["AAAA"])"), Code::reference_malformed,
       "sets[0].ek_roots[0]: "},
      {"a root that is no base64", with(tail, R"("ek_roots": ["*"])"), Code::reference_malformed,
       "sets[0].ek_roots[0]: "},
      {"a root twice", with(tail, R"("ek_roots": [")" + root() + R"(", ")" + root() + R"("])"),
       Code::reference_malformed, "sets[0].ek_roots[1]: is there twice"},
      {"9 roots", with(tail, R"("ek_roots": [)" + many("\"\"", 9) + "]"), Code::reference_malformed,
       "sets[0].ek_roots: has too many"},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    std::string problem;
    Result<ReferenceValues> values = ReferenceValues::parse(row.text, kNow, &problem);
    CHECK(named(values.code()) == named(row.code));
    INFO(problem);
    CHECK(problem.find(row.problem) == 0);
    CHECK(problem.empty() == values.ok());
  }
  // The bare-metal variant never goes without an endorsement.
  std::string problem;
  CHECK(ReferenceValues::parse(with("qemu-vtpm", "tpm"), kNow, &problem).code() == Code::reference_malformed);
  CHECK(problem.find("sets[0].allow_unendorsed_ak") == 0);
}

TEST_CASE("reference values: one open set of a variant is enough") {
  std::string text = sets(2);
  text.replace(text.find("2027-02-01"), 10, "2027-01-02");
  std::string problem;
  CHECK(ReferenceValues::parse(text, kNow, &problem).ok());
}

TEST_CASE("reference values: no cut of a document loads, and no problem is needed") {
  std::string text = document();
  for (size_t n = 0; n < text.size(); ++n) CHECK(!ReferenceValues::parse(text.substr(0, n), kNow, nullptr).ok());
}

TEST_CASE("roles: names and numbers") {
  for (Role role : {Role::control_plane, Role::worker}) {
    CHECK(*role_from_name(role_name(role)) == role);
    CHECK(*role_from_number(static_cast<uint8_t>(role)) == role);
  }
  CHECK(role_from_name("Worker").code() == Code::bad_value);
  CHECK(role_from_number(0).code() == Code::bad_value);
  CHECK(role_from_number(3).code() == Code::bad_value);
}
