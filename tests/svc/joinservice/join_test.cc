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

// In Kubernetes: worker-0 (kMachine on kDisk, 10.0.2.16, a WireGuard key) and an object that cannot be read.
TEST_CASE("who may join in Kubernetes") {
  constexpr const char* kConfig = R"({"endpoint":"10.0.2.15:6443","sans":["api-0"],"service_cidr":"10.96.0.0/16"})";
  auto facts = ClusterFacts::parse(kConfig, std::string(64, '0'), "04" + std::string(128, '0'), std::string(64, '0'), nullptr);
  REQUIRE(facts.ok());
  const WireguardKey key{1}, other_key{2};
  Nodes nodes;
  NodeRecord record;
  record.disk = kDisk;
  record.identity = kMachine;
  record.name = "worker-0";
  record.address = "10.0.2.16";
  record.wireguard_key = key;
  record.first_joined = kThen;
  nodes.put("worker-0", record);
  nodes.put_damaged("broken-0", kBroken);
  struct Row {
    const char* name;
    PlatformIdentity machine;
    Uuid disk;
    const char* node;
    Role role;
    const char* address;
    WireguardKey wireguard;
    Code code;
    const char* why;   // a part of it
  };
  const uint8_t both = kControl | kWorkers;
  const Row rows[] = {
      {"a new worker", kStranger, kFresh, "worker-1", Role::worker, "10.0.2.17", other_key, Code::ok, ""},
      {"a new control plane", kStranger, kFresh, "control-1", Role::control_plane, "10.0.2.17", {}, Code::ok, ""},
      {"the same worker again", kMachine, kDisk, "worker-0", Role::worker, "10.0.2.16", key, Code::ok, ""},
      {"the same worker, fresh disk, new address and key", kMachine, kFresh, "worker-0", Role::worker, "10.0.2.18", other_key, Code::ok, ""},
      {"another machine under its name", kStranger, kFresh, "worker-0", Role::worker, "10.0.2.17", other_key, Code::name_taken, "kubectl delete cstlnode worker-0"},
      {"another machine with its disk", kStranger, kDisk, "worker-1", Role::worker, "10.0.2.17", other_key, Code::disk_taken, ""},
      {"the same machine under another name", kMachine, kDisk, "worker-1", Role::worker, "10.0.2.16", key, Code::node_differs, "on record as worker-0"},
      {"the same machine in another role", kMachine, kDisk, "worker-0", Role::control_plane, "10.0.2.16", key, Code::node_differs, "on record as worker"},
      {"the API server's name", kStranger, kFresh, "kubernetes", Role::worker, "10.0.2.17", other_key, Code::name_taken, "API server"},
      {"a name of its certificate", kStranger, kFresh, "api-0", Role::worker, "10.0.2.17", other_key, Code::name_taken, "API server"},
      {"the API server's address", kStranger, kFresh, "worker-1", Role::worker, "10.0.2.15", other_key, Code::address_taken, "10.0.2.15"},
      {"a service's address", kStranger, kFresh, "worker-1", Role::worker, "10.96.0.1", other_key, Code::address_taken, "10.96.0.1"},
      {"another node's address", kStranger, kFresh, "worker-1", Role::worker, "10.0.2.16", other_key, Code::address_taken, "worker-0"},
      {"no address", kStranger, kFresh, "worker-1", Role::worker, "", other_key, Code::bad_value, "address"},
      {"a host name for an address", kStranger, kFresh, "worker-1", Role::worker, "worker-1", other_key, Code::bad_value, "address"},
      {"another node's WireGuard key", kStranger, kFresh, "worker-1", Role::worker, "10.0.2.17", key, Code::key_taken, "worker-0"},
      {"no WireGuard key", kStranger, kFresh, "worker-1", Role::worker, "10.0.2.17", {}, Code::ok, ""},
      {"a name whose object is damaged", kStranger, kFresh, "broken-0", Role::worker, "10.0.2.17", other_key, Code::record_malformed, ""},
      {"a disk whose object is damaged", kStranger, kBroken, "worker-1", Role::worker, "10.0.2.17", other_key, Code::record_malformed, ""},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    JoinRequest request;
    request.disk = row.disk;
    request.role = row.role;
    request.name = row.node;
    request.address = row.address;
    request.wireguard_key = row.wireguard;
    Verdict verdict = verdict_of(row.machine, both);
    std::string why;
    auto decided = decide_join(request, &verdict, nodes, &*facts, kNow, &why);
    CHECK(decided.code() == row.code);
    CHECK(why.find(row.why) != std::string::npos);
    if (decided.ok()) CHECK(decided->first_joined == (row.machine == kMachine ? kThen : kNow));
  }
  // The first control plane, which the bootstrapper recorded with the endpoint's address, may repeat its join.
  record.identity = kStranger;
  record.disk = kFresh;
  record.name = "control-0";
  record.address = "10.0.2.15";
  record.role = Role::control_plane;
  record.wireguard_key = other_key;
  nodes.put("control-0", record);
  JoinRequest again;
  again.disk = kFresh;
  again.role = Role::control_plane;
  again.name = "control-0";
  again.address = "10.0.2.15";
  again.wireguard_key = other_key;
  Verdict verdict = verdict_of(kStranger, both);
  CHECK(decide_join(again, &verdict, nodes, &*facts, kNow, nullptr).ok());
  // Two objects that claim one disk: nobody gets it.
  record.name = "control-9";
  record.identity = PlatformIdentity{9};
  nodes.put("control-9", record);
  CHECK(decide_join(again, &verdict, nodes, &*facts, kNow, nullptr).code() == Code::record_malformed);
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
