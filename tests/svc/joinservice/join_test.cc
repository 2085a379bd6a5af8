#include "svc/joinservice/join.h"

#include <doctest/doctest.h>

#include "svc/joinservice/file_store.h"
#include "tests/svc/joinservice/folder.h"

namespace cstl {
namespace {

constexpr uint8_t kWorkers = 1 << static_cast<unsigned>(Role::worker);
constexpr uint8_t kControl = 1 << static_cast<unsigned>(Role::control_plane);
const PlatformIdentity kMachine{1}, kStranger{2};
const Uuid kDisk{0xaa}, kFresh{0xbb}, kBroken{0xcc};
constexpr int64_t kThen = 1000, kNow = 2000;

Verdict verdict_of(const PlatformIdentity& identity, uint8_t roles, Code code = Code::ok) {
  Verdict verdict;
  verdict.code = code;
  verdict.identity = identity;
  verdict.roles = roles;
  verdict.reference_set = "set-2";
  return verdict;
}

// A store with one worker (kMachine on kDisk) and a damaged record (kBroken).
struct Filled : test::Folder {
  Filled() {
    REQUIRE(FileStore::open(path, &damaged).ok());
    write("nodes/" + uuid_text(kBroken) + ".json", "{");
    auto opened = FileStore::open(path, &damaged);
    REQUIRE(opened.ok());
    store = std::move(*opened);
    NodeRecord record;
    record.disk = kDisk;
    record.identity = kMachine;
    record.name = "worker-0";
    record.reference_set = "set-1";
    record.first_joined = kThen;
    REQUIRE(store.save(record).ok());
  }
  std::vector<std::string> damaged;
  FileStore store;
};

TEST_CASE("who may join") {
  struct Row {
    const char* name;
    Uuid disk;
    Role role;
    std::optional<Verdict> verdict;
    Code code;
    int64_t first_joined;
  };
  const Row rows[] = {
      {"a new machine with a new disk", kFresh, Role::worker, verdict_of(kStranger, kWorkers), Code::ok, kNow},
      {"a machine again, with its disk", kDisk, Role::worker, verdict_of(kMachine, kWorkers), Code::ok, kThen},
      {"a machine again, with a fresh disk", kFresh, Role::worker, verdict_of(kMachine, kWorkers), Code::ok, kThen},
      {"another machine with a recorded disk", kDisk, Role::worker, verdict_of(kStranger, kWorkers), Code::disk_taken, 0},
      {"a disk whose record is damaged", kBroken, Role::worker, verdict_of(kMachine, kWorkers), Code::record_malformed, 0},
      {"a role that the set does not admit", kFresh, Role::worker, verdict_of(kMachine, kControl), Code::role_refused, 0},
      {"a set that admits no role", kFresh, Role::worker, verdict_of(kMachine, 0), Code::role_refused, 0},
      {"a control plane that the set does not admit", kFresh, Role::control_plane, verdict_of(kMachine, kWorkers), Code::role_refused, 0},
      {"a further control plane", kFresh, Role::control_plane, verdict_of(kMachine, kControl | kWorkers), Code::unsupported, 0},
      {"a machine whose evidence failed", kFresh, Role::worker, verdict_of(kMachine, kWorkers, Code::quote_nonce), Code::not_attested, 0},
      {"a machine without evidence", kFresh, Role::worker, std::nullopt, Code::not_attested, 0},
  };
  Filled filled;
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    JoinRequest request;
    request.disk = row.disk;
    request.role = row.role;
    request.name = "worker-9";
    auto record = decide_join(request, row.verdict ? &*row.verdict : nullptr, filled.store.nodes(), nullptr, kNow, nullptr);
    CHECK(record.code() == row.code);
    if (!record.ok()) continue;
    CHECK(record->disk == row.disk);
    CHECK(record->identity == row.verdict->identity);
    CHECK(record->role == row.role);
    CHECK(record->name == "worker-9");
    CHECK(record->reference_set == "set-2");
    CHECK(record->first_joined == row.first_joined);
  }
}

TEST_CASE("who may rejoin") {
  struct Row {
    const char* name;
    Uuid disk;
    std::optional<Verdict> verdict;
    Code code;
  };
  const Row rows[] = {
      {"the recorded machine with the recorded disk", kDisk, verdict_of(kMachine, kWorkers), Code::ok},
      {"another machine with the recorded disk", kDisk, verdict_of(kStranger, kWorkers), Code::identity_mismatch},
      {"a disk without a record", kFresh, verdict_of(kMachine, kWorkers), Code::unknown_node},
      {"a disk whose record is damaged", kBroken, verdict_of(kMachine, kWorkers), Code::record_malformed},
      {"a role that is no longer admitted", kDisk, verdict_of(kMachine, kControl), Code::role_refused},
      {"a machine whose evidence failed", kDisk, verdict_of(kMachine, kWorkers, Code::reference_mismatch), Code::not_attested},
      {"a machine without evidence", kDisk, std::nullopt, Code::not_attested},
  };
  Filled filled;
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    RejoinRequest request;
    request.disk = row.disk;
    auto record = decide_rejoin(request, row.verdict ? &*row.verdict : nullptr, filled.store.nodes());
    CHECK(record.code() == row.code);
    if (record.ok()) CHECK(record->name == "worker-0");
  }
}

}  // namespace
}  // namespace cstl
