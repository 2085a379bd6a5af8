#include "svc/joinservice/file_store.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/svc/joinservice/folder.h"

namespace cstl {
namespace {

const Uuid kDisk{0xaa}, kFresh{0xbb};

NodeRecord record_of(const Uuid& disk, uint8_t identity) {
  NodeRecord record;
  record.disk = disk;
  record.identity[0] = identity;
  record.name = "worker-0";
  record.reference_set = "demo-1";
  record.first_joined = 1700000000;
  return record;
}

std::string changed(const std::string& from, const std::string& to) {
  std::string text = record_of(kDisk, 1).to_json();
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("a record reads back as it was written") {
  const NodeRecord record = record_of(kDisk, 7);
  auto parsed = NodeRecord::parse(record.to_json());
  REQUIRE(parsed.ok());
  CHECK(parsed->to_json() == record.to_json());
  CHECK(parsed->disk == kDisk);
  CHECK(parsed->role == Role::worker);
  CHECK(parsed->first_joined == 1700000000);
}

TEST_CASE("malformed records are refused, each with its code") {
  struct Row {
    const char* name;
    std::string text;
    Code code;
  };
  const Row rows[] = {
      {"no JSON", "{", Code::bad_json},
      {"a list", "[]", Code::record_malformed},
      {"an empty object", "{}", Code::record_malformed},
      {"trailing text", record_of(kDisk, 1).to_json() + "x", Code::bad_json},
      {"another format", changed("node/1", "node/2"), Code::record_malformed},
      {"an unknown field", changed("\"role\"", "\"rule\""), Code::record_malformed},
      {"a field too many", changed("{", "{\"more\": 1,"), Code::record_malformed},
      {"a field twice", changed("{", "{\"role\": \"worker\","), Code::bad_json},
      {"a role that is none", changed("\"worker\"", "\"admin\""), Code::record_malformed},
      {"a disk in capitals", changed("aa000000-", "AA000000-"), Code::record_malformed},
      {"a short identity", changed("\"0100", "\"00"), Code::record_malformed},
      {"a name that is none", changed("worker-0", "Worker_0"), Code::record_malformed},
      {"a set id that is none", changed("demo-1", "demo 1"), Code::record_malformed},
      {"a negative date", changed("1700000000", "-1"), Code::record_malformed},
      {"a date of text", changed("1700000000", "\"1\""), Code::record_malformed},
      {"a date beyond 63 bits", changed("1700000000", "18446744073709551615"), Code::record_malformed},
      {"too long a file", std::string(kMaxNodeRecord + 1, ' '), Code::too_long},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    CHECK(NodeRecord::parse(row.text).code() == row.code);
  }
}

TEST_CASE("records survive a new start; what is no record is named and holds its disk") {
  test::Folder folder;
  std::vector<std::string> damaged;
  auto store = FileStore::open(folder.path, &damaged);
  REQUIRE(store.ok());
  REQUIRE(store->save(record_of(kDisk, 1)).ok());
  folder.write("nodes/" + uuid_text(kFresh) + ".json", record_of(kDisk, 2).to_json());  // another disk's content
  folder.write("nodes/odd.json", "{}");
  folder.write("nodes/" + uuid_text(Uuid{0xdd}) + ".json.tmp", "{");                    // a power cut in a write

  auto again = FileStore::open(folder.path, &damaged);
  REQUIRE(again.ok());
  REQUIRE(again->nodes().find(kDisk) != nullptr);
  CHECK(again->nodes().find(kDisk)->to_json() == record_of(kDisk, 1).to_json());
  CHECK(again->nodes().damaged(kFresh));
  CHECK(again->nodes().find(kFresh) == nullptr);
  CHECK(damaged.size() == 2);
  CHECK(again->save(record_of(kFresh, 2)).code() == Code::record_malformed);
  CHECK_FALSE(again->nodes().damaged(Uuid{0xdd}));
}

TEST_CASE("an identity has one record: a new disk replaces the old") {
  test::Folder folder;
  std::vector<std::string> damaged;
  auto store = FileStore::open(folder.path, &damaged);
  REQUIRE(store.ok());
  REQUIRE(store->save(record_of(kDisk, 1)).ok());
  REQUIRE(store->save(record_of(Uuid{0xcc}, 2)).ok());
  REQUIRE(store->save(record_of(kFresh, 1)).ok());
  CHECK(store->nodes().find(kDisk) == nullptr);
  CHECK(store->nodes().find(kFresh) != nullptr);
  CHECK(store->nodes().find(Uuid{0xcc}) != nullptr);
  CHECK_FALSE(folder.has("nodes/" + uuid_text(kDisk) + ".json"));
  CHECK(store->nodes().find_identity(record_of(kDisk, 1).identity)->disk == kFresh);
}

TEST_CASE("a record that cannot be written leaves the store as it was") {
  test::Folder folder;
  std::vector<std::string> damaged;
  auto store = FileStore::open(folder.path, &damaged);
  REQUIRE(store.ok());
  REQUIRE(store->save(record_of(kDisk, 1)).ok());
  std::filesystem::remove_all(folder.path + "/nodes");
  folder.write("nodes", "");  // a file where the folder was: every write fails
  CHECK_FALSE(store->save(record_of(kFresh, 1)).ok());
  CHECK(store->nodes().find(kFresh) == nullptr);
  CHECK(store->nodes().find(kDisk) != nullptr);
}

TEST_CASE("a full or read-only disk is no_space, and what stood there stays") {
  test::Folder folder;
  REQUIRE(mount("none", folder.path.c_str(), "tmpfs", MS_NOSUID, "size=16k,nr_inodes=8") == 0);
  {
    std::vector<std::string> damaged;
    auto store = FileStore::open(folder.path, &damaged);
    REQUIRE(store.ok());
    REQUIRE(store->save(record_of(kDisk, 1)).ok());
    Code last = Code::ok;
    for (uint8_t i = 2; i < 32 && last == Code::ok; ++i) last = store->save(record_of(Uuid{i}, i)).code();
    CHECK(last == Code::no_space);
    REQUIRE(mount("none", folder.path.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, "") == 0);
    CHECK(store->save(record_of(kFresh, 1)).code() == Code::no_space);
    auto again = FileStore::open(folder.path, &damaged);
    REQUIRE(again.ok());
    CHECK(again->nodes().size() == store->nodes().size());
    CHECK(damaged.empty());
    CHECK(again->nodes().find(kDisk) != nullptr);
  }
  CHECK(umount(folder.path.c_str()) == 0);
}

TEST_CASE("killed at any moment of a save, a process leaves the old record or the new one, whole") {
  test::Folder folder;
  std::vector<std::string> damaged;
  auto store = FileStore::open(folder.path, &damaged);
  REQUIRE(store.ok());
  REQUIRE(store->save(record_of(kDisk, 1)).ok());
  for (useconds_t delay = 0; delay < 4000; delay += 200) {
    pid_t child = fork();
    if (child == 0) {
      for (;;) {
        NodeRecord record = record_of(kDisk, 1);
        record.first_joined = getpid();
        (void)store->save(record);  // until it is killed
      }
    }
    usleep(delay);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    auto text = read_file((folder.path + "/nodes/" + uuid_text(kDisk) + ".json").c_str(), kMaxNodeRecord);
    REQUIRE(text.ok());
    CHECK(NodeRecord::parse(Bytes(*text).text()).ok());
    CHECK(store->save(record_of(kDisk, 1)).ok());  // whatever temporary file it left
  }
}

}  // namespace
}  // namespace cstl
