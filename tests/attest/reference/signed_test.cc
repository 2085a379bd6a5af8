#include "attest/reference/signed.h"

#include <doctest/doctest.h>

#include <map>

#include "crypto/base/base64.h"
#include "crypto/key_file.h"
#include "tests/harness/transparency_log.h"

using namespace cstl;

namespace {
constexpr int64_t kNow = 1800000000;  // 2027-01-15

std::string document(const std::string& heading) {
  return "{\"cstl\": \"reference-values/1\"" + heading +
         R"(, "sets": [{"id": "a", "variant": "qemu-vtpm", "not_before": "2026-01-01T00:00:00Z",
  "not_after": "2028-01-01T00:00:00Z", "roles": ["worker"], "allow_unendorsed_ak": true,
  "pcrs": {"4": {"expected": ["0000000000000000000000000000000000000000000000000000000000000004"], "enforce": true}}}]})";
}

constexpr const char* kHeading = R"(, "name": "prod", "version": 7, "expires": "2027-06-01T00:00:00Z")";

struct Release {
  SigningKey keys[3] = {make_key(), make_key(), make_key()};
  TestLog log;
  TrustPolicy policy;
  std::string text = document(kHeading);
  std::map<std::string, std::vector<uint8_t>> files;
  SeenReference seen;
  std::string problem;

  Release() {
    policy.name = "prod";
    policy.threshold = 2;
    for (const SigningKey& key : keys) policy.signers.push_back(public_half(key));
  }
  std::string id(size_t i) const { return *signer_id(policy.signers[i]); }
  void sign(size_t i) { files["." + id(i) + ".sig"] = Bytes(*sign_document(Bytes(text), keys[i])).copy(); }
  void log_it(size_t i) {
    std::string bundle = log.bundle(log.entry(log.add(keys[i], Bytes(text))));
    files["." + id(i) + ".bundle"] = Bytes(bundle).copy();
  }
  Result<SignedReference> open(int64_t now = kNow) {
    auto source = [this](const std::string& suffix) -> Result<std::vector<uint8_t>> {
      auto found = files.find(suffix);
      if (found == files.end()) return fail(Code::not_found, "test.file");
      return found->second;
    };
    return open_signed(Bytes(text), source, policy, seen, now, &problem);
  }
};
}  // namespace

TEST_CASE("two of three signers suffice, whichever they are") {
  for (size_t left_out = 0; left_out < 3; ++left_out) {
    Release r;
    for (size_t i = 0; i < 3; ++i) {
      if (i != left_out) r.sign(i);
    }
    auto opened = r.open();
    REQUIRE_MESSAGE(opened.ok(), r.problem);
    CHECK(opened->signers.size() == 2);
    CHECK(opened->seen.version == 7);
    CHECK(opened->seen.document == *sha256({Bytes(r.text)}));
    CHECK(opened->values.sets.size() == 1);
    CHECK(opened->logged_at == 0);
  }
}

TEST_CASE("one signature is one signature, under however many names") {
  Release r;
  r.sign(0);
  CHECK(r.open().code() == Code::reference_unsigned);
  CHECK(r.problem == "1 of the 2 needed");
  r.files[".sig"] = r.files.begin()->second;  // the same again, as the file without an id
  CHECK(r.open().code() == Code::reference_unsigned);
  r.files.clear();
  CHECK(r.open().code() == Code::reference_unsigned);
}

TEST_CASE("the plain name that cosign's users choose is taken for any one of the keys") {
  Release r;
  r.policy.threshold = 1;
  r.files[".sig"] = Bytes(*sign_document(Bytes(r.text), r.keys[2])).copy();
  auto opened = r.open();
  REQUIRE_MESSAGE(opened.ok(), r.problem);
  CHECK(opened->signers == std::vector<std::string>{r.id(2)});
}

TEST_CASE("what is wrong with a document or its signatures is refused with its own code") {
  struct Row {
    const char* name;
    std::function<void(Release&)> change;
    Code code;
  };
  const Row rows[] = {
      {"a byte of the document", [](Release& r) { r.text[r.text.size() - 3] = ' '; }, Code::reference_signature},
      {"a signature of a stranger", [](Release& r) {
         SigningKey stranger = make_key();
         r.files["." + r.id(0) + ".sig"] = Bytes(*sign_document(Bytes(r.text), stranger)).copy();
       }, Code::reference_signature},
      {"a bad third signature beside two good ones", [](Release& r) {
         r.files["." + r.id(2) + ".sig"] = r.files["." + r.id(1) + ".sig"];
       }, Code::reference_signature},
      {"not base64", [](Release& r) { r.files["." + r.id(0) + ".sig"] = Bytes("signed!").copy(); },
       Code::reference_signature},
      {"an empty signature counts as none", [](Release& r) { r.files["." + r.id(0) + ".sig"].clear(); },
       Code::reference_unsigned},
      {"a policy without signers", [](Release& r) { r.files.clear(); r.policy.signers.clear(); }, Code::trust_malformed},
      {"another name", [](Release& r) { r.policy.name = "staging"; }, Code::reference_name},
      {"a newer version was seen", [](Release& r) { r.seen = {8, {}}; }, Code::reference_rollback},
      {"another document of this version was seen", [](Release& r) { r.seen = {7, {}}; }, Code::reference_rollback},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Release r;
    r.sign(0);
    r.sign(1);
    row.change(r);
    CHECK(r.open().code() == row.code);
  }
}

TEST_CASE("the same document again is no rollback") {
  Release r;
  r.sign(0);
  r.sign(1);
  r.seen = {7, *sha256({Bytes(r.text)})};
  CHECK(r.open().ok());
  r.seen = {6, {}};
  CHECK(r.open().ok());
}

TEST_CASE("documents expire, and need a name, a version and an expiry to be signed") {
  struct Row {
    const char* heading;
    Code code;
  };
  for (const Row& row : {
           Row{kHeading, Code::ok},
           Row{"", Code::reference_name},
           Row{R"(, "name": "prod")", Code::reference_malformed},
           Row{R"(, "name": "prod", "version": 7)", Code::reference_malformed},
           Row{R"(, "name": "prod", "expires": "2027-06-01T00:00:00Z")", Code::reference_malformed},
           Row{R"(, "name": "prod", "version": 0, "expires": "2027-06-01T00:00:00Z")", Code::reference_malformed},
           Row{R"(, "name": "prod", "version": -1, "expires": "2027-06-01T00:00:00Z")", Code::reference_malformed},
           Row{R"(, "name": "prod", "version": 1.5, "expires": "2027-06-01T00:00:00Z")", Code::reference_malformed},
           Row{R"(, "name": "prod", "version": 9007199254740992, "expires": "2027-06-01T00:00:00Z")",
               Code::reference_malformed},
           Row{R"(, "name": "prod", "version": 7, "expires": "2027-01-15T08:00:00Z")", Code::reference_expired},
           Row{R"(, "name": "prod", "version": 7, "expires": "1970-01-01T00:00:00Z")", Code::reference_malformed},
           Row{R"(, "name": "pr od", "version": 7, "expires": "2027-06-01T00:00:00Z")", Code::reference_malformed},
       }) {
    CAPTURE(row.heading);
    Release r;
    r.text = document(row.heading);
    r.sign(0);
    r.sign(1);
    CHECK(r.open().code() == row.code);
  }
}

TEST_CASE("with a log pinned, only logged signatures count") {
  Release r;
  r.policy.logs = {r.log.trusted()};
  r.sign(0);
  r.sign(1);
  CHECK(r.open().code() == Code::transparency_missing);
  r.log_it(0);
  CHECK(r.open().code() == Code::transparency_missing);
  r.log_it(1);
  auto opened = r.open();
  REQUIRE_MESSAGE(opened.ok(), r.problem);
  CHECK(opened->signers.size() == 2);
  CHECK(opened->logged_at == 1790000000);
  // Another log's word counts for nothing.
  TestLog other;
  r.policy.logs = {other.trusted()};
  CHECK(r.open().code() == Code::transparency_key);
}

TEST_CASE("a trust policy is read as strictly as it is written") {
  Release r;
  r.policy.logs = {r.log.trusted()};
  std::string problem;
  auto again = TrustPolicy::parse(r.policy.to_json(), &problem);
  REQUIRE_MESSAGE(again.ok(), problem);
  CHECK(again->to_json() == r.policy.to_json());
  CHECK(again->threshold == 2);

  std::string key = to_base64(p256_spki(r.keys[0].point()));
  std::string other = to_base64(p256_spki(r.keys[1].point()));
  auto policy = [&](const std::string& rest) { return R"({"cstl": "reference-trust/1", "name": "prod", )" + rest + "}"; };
  struct Row {
    std::string text;
    const char* problem;
  };
  for (const Row& row : {
           Row{"", "is not JSON"},
           Row{policy(R"("threshold": 1, "signers": [])"), "signers"},
           Row{policy(R"("threshold": 0, "signers": [{"key": ")" + key + "\"}]"), "threshold"},
           Row{policy(R"("threshold": 2, "signers": [{"key": ")" + key + "\"}]"), "threshold"},
           Row{policy(R"("signers": [{"key": ")" + key + "\"}]"), "threshold"},
           Row{policy(R"("threshold": 2, "signers": [{"key": ")" + key + R"("}, {"key": ")" + key + "\"}]"), "is there twice"},
           Row{policy(R"("threshold": 1, "signers": [{"key": "AAAA"}])"), "signers.key"},
           Row{policy(R"("threshold": 1, "signers": [{"key": ")" + key + R"("}], "logs": [{"key": "AAAA"}])"), "logs.key"},
           Row{policy(R"("threshold": 1, "signers": [{"key": ")" + key + R"("}], "more": 1)"), "unknown"},
           Row{R"({"cstl": "reference-trust/2"})", "cstl"},
       }) {
    CAPTURE(row.text);
    CHECK(TrustPolicy::parse(row.text, &problem).code() == Code::trust_malformed);
    CHECK(problem.find(row.problem) != std::string::npos);
  }
  CHECK(TrustPolicy::parse(policy(R"("threshold": 2, "signers": [{"key": ")" + key + R"("}, {"key": ")" + other + "\"}]"),
                           &problem)
            .ok());
}
