#include "svc/joinservice/references.h"

#include "tests/svc/joinservice/folder.h"

namespace cstl {
namespace {

constexpr int64_t kNow = 1800000000;

std::string values_with_id(const std::string& id) {
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
  return values.to_json();
}

TEST_CASE("a changed file counts once it parses; a bad one is reported once and changes nothing") {
  test::Folder folder;
  folder.write("r.json", values_with_id("one"));
  std::string problem;
  auto file = ReferenceFile::open(folder.path + "/r.json", kNow, &problem);
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
  CHECK(ReferenceFile::open(folder.path + "/r.json", kNow, &problem).code() == Code::not_found);
  folder.write("r.json", "[]");
  CHECK_FALSE(ReferenceFile::open(folder.path + "/r.json", kNow, &problem).ok());
  folder.write("r.json", values_with_id("old"));
  CHECK(ReferenceFile::open(folder.path + "/r.json", kNow + 5000, &problem).code() == Code::reference_expired);
}

}  // namespace
}  // namespace cstl
