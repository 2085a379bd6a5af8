#include "svc/joinservice/references.h"

#include "attest/reference/seen.h"
#include "tests/harness/transparency_log.h"
#include "tests/svc/joinservice/folder.h"

namespace cstl {
namespace {

constexpr int64_t kNow = 1800000000;

std::string values_with_id(const std::string& id, int64_t version = 0) {
  ReferenceSet set;
  set.id = id;
  set.not_after = kNow + 1000;
  set.roles = 1 << static_cast<unsigned>(Role::worker);
  set.allow_unendorsed_ak = true;
  PcrReference pcr;
  pcr.index = 4;
  pcr.expected.push_back(Digest32{1});
  set.pcrs.push_back(pcr);
  ReferenceValues values;
  values.sets.push_back(set);
  if (version != 0) {
    values.name = "prod";
    values.version = version;
    values.expires = kNow + 1000;
  }
  return values.to_json();
}

TEST_CASE("a changed file counts once it parses; a bad one is reported once and changes nothing") {
  test::Folder folder;
  folder.write("r.json", values_with_id("one"));
  std::string problem;
  auto file = ReferenceFile::open(folder.path + "/r.json", std::nullopt, kNow, &problem);
  REQUIRE(file.ok());
  CHECK(file->values().sets[0].id == "one");
  auto refresh = [&] { return file->refresh(kNow, &problem); };

  CHECK(*refresh() == false);
  folder.write("r.json", values_with_id("two"));
  CHECK(*refresh() == true);
  CHECK(file->values().sets[0].id == "two");

  folder.write("r.json", "{}");
  CHECK_FALSE(refresh().ok());
  CHECK(*refresh() == false);
  CHECK(file->values().sets[0].id == "two");

  std::filesystem::remove(folder.path + "/r.json");
  CHECK(refresh().code() == Code::not_found);
  CHECK(*refresh() == false);
  CHECK(file->values().sets[0].id == "two");

  folder.write("r.json", values_with_id("three"));
  CHECK(*refresh() == true);
  CHECK(file->values().sets[0].id == "three");
}

TEST_CASE("without good values there is nothing to start with") {
  test::Folder folder;
  std::string problem;
  CHECK(ReferenceFile::open(folder.path + "/r.json", std::nullopt, kNow, &problem).code() == Code::not_found);
  folder.write("r.json", "[]");
  CHECK_FALSE(ReferenceFile::open(folder.path + "/r.json", std::nullopt, kNow, &problem).ok());
  folder.write("r.json", values_with_id("old"));
  CHECK(ReferenceFile::open(folder.path + "/r.json", std::nullopt, kNow + 5000, &problem).code() == Code::reference_expired);
}

TEST_CASE("with a trust policy, only signed values count, and none that are older") {
  test::Folder folder;
  std::string problem;
  SigningKey key = make_key();
  TrustPolicy policy;
  policy.name = "prod";
  policy.signers = {public_half(key)};
  const std::string path = folder.path + "/r.json";
  auto publish = [&](const std::string& id, int64_t version) {
    std::string text = values_with_id(id, version);
    folder.write("r.json", text);
    folder.write("r.json.sig", *sign_document(Bytes(text), key));
  };
  folder.write("r.json", values_with_id("one", 1));
  CHECK(ReferenceFile::open(path, policy, kNow, &problem).code() == Code::reference_unsigned);
  publish("one", 1);
  auto file = ReferenceFile::open(path, policy, kNow, &problem);
  REQUIRE_MESSAGE(file.ok(), problem);
  auto refresh = [&] { return file->refresh(kNow, &problem); };

  // The document first, its signature later: in force once both are there.
  std::string next = values_with_id("two", 2);
  folder.write("r.json", next);
  CHECK(refresh().code() == Code::reference_signature);
  CHECK(file->values().sets[0].id == "one");
  folder.write("r.json.sig", *sign_document(Bytes(next), key));
  REQUIRE_MESSAGE(refresh().ok(), problem);
  CHECK(file->values().sets[0].id == "two");

  publish("one", 1);
  CHECK(refresh().code() == Code::reference_rollback);
  CHECK(file->values().sets[0].id == "two");
}

TEST_CASE("what was seen outlives the process, and a damaged memory is no empty one") {
  test::Folder folder;
  std::string problem;
  SigningKey key = make_key();
  TrustPolicy policy;
  policy.name = "prod";
  policy.signers = {public_half(key)};
  const std::string path = folder.path + "/r.json", seen = folder.path + "/seen.json";
  auto publish = [&](const std::string& id, int64_t version) {
    std::string text = values_with_id(id, version);
    folder.write("r.json", text);
    folder.write("r.json.sig", *sign_document(Bytes(text), key));
  };
  // Another process each time.
  auto start = [&] { return ReferenceFile::open(path, policy, kNow, &problem, memory_in_file(seen, policy.name)); };

  publish("one", 1);
  REQUIRE_MESSAGE(start().ok(), problem);
  CHECK(folder.has("seen.json"));
  publish("three", 3);
  auto file = start();
  REQUIRE(file.ok());
  publish("two", 2);
  CHECK(file->refresh(kNow, &problem).code() == Code::reference_rollback);
  CHECK(start().code() == Code::reference_rollback);
  publish("another-three", 3);
  CHECK(start().code() == Code::reference_rollback);
  publish("three", 3);
  CHECK(start().ok());

  // A version that comes while it runs is remembered before it counts.
  publish("four", 4);
  REQUIRE(*file->refresh(kNow, &problem));
  publish("three", 3);
  CHECK(start().code() == Code::reference_rollback);
  publish("five", 5);
  std::filesystem::remove(seen);
  std::filesystem::create_directory(seen);  // nothing can be written there
  CHECK_FALSE(file->refresh(kNow, &problem).ok());
  CHECK(file->values().sets[0].id == "four");
  std::filesystem::remove(seen);

  // Another document's versions are its own.
  folder.write("seen.json", R"({"cstl": "reference-seen/1", "names": {"other": {"version": 9, "sha256": ")" +
                                std::string(64, 'a') + "\"}}}");
  REQUIRE_MESSAGE(start().ok(), problem);
  auto text = read_file(seen.c_str(), kMaxSeenText);
  REQUIRE(text.ok());
  auto all = SeenReferences::parse(Bytes(*text).text(), &problem);
  REQUIRE(all.ok());
  CHECK(all->of("other").version == 9);
  CHECK(all->of("prod").version == 5);
  CHECK(all->of("nobody").version == 0);
  CHECK(all->to_json() == Bytes(*text).text());

  const std::string hash = std::string(64, 'a');
  for (const std::string& damaged :
       {std::string(), std::string("{}"), std::string("[]"), std::string(Bytes(*text).first(text->size() / 2).text()),
        R"({"cstl": "reference-seen/2", "names": {}})" + std::string(),
        R"({"cstl": "reference-seen/1", "names": {"prod": {"version": 0, "sha256": ")" + hash + "\"}}}",
        R"({"cstl": "reference-seen/1", "names": {"prod": {"sha256": ")" + hash + "\"}}}",
        R"({"cstl": "reference-seen/1", "names": {"prod": {"version": 1, "sha256": "aa"}}})" + std::string(),
        R"({"cstl": "reference-seen/1", "names": {"prod": {"version": 1, "sha256": ")" + hash + "\"}}, \"more\": 1}"}) {
    CAPTURE(damaged);
    folder.write("seen.json", damaged);
    CHECK(start().code() == Code::config_malformed);
  }
}

}  // namespace
}  // namespace cstl
