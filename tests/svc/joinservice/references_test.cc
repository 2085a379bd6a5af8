#include "svc/joinservice/references.h"

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

}  // namespace
}  // namespace cstl
