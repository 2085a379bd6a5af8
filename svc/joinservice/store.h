// The embedded store of a control plane: one file per node, nodes/<disk uuid>.json, each written whole and durably
// (crypto/base/fd.h), all read at start. For fleets without Kubernetes. One process at a time writes it.
//
// {"cstl": "node/1", "disk": "<uuid>", "identity": "<hex>", "role": "worker", "name": "…", "reference_set": "…",
//  "first_joined": <Unix seconds>}; all fields, no others.
//
// A record that cannot be read still holds its disk: joins and rejoins of that disk are refused until an operator
// restores or removes the file, so that damage can't hand a disk's key to another machine.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "attest/reference/appraise.h"
#include "svc/wire/join.h"

namespace cstl {

constexpr size_t kMaxNodeRecord = 4096;   // bytes of one file
constexpr size_t kMaxNodes = 16384;

struct NodeRecord {
  Uuid disk{};
  PlatformIdentity identity{};
  Role role = Role::worker;
  std::string name;
  std::string reference_set;   // that matched at the (last) join
  int64_t first_joined = 0;

  // Errors: record_malformed, bad_json, too_long.
  static Result<NodeRecord> parse(std::string_view json);
  std::string to_json() const;   // deterministic; parses back to itself
};

class Store {
 public:
  // Reads `folder`/nodes, which is made if it is missing. `damaged` gets the names of files that hold no record.
  // Errors: too_long (more than kMaxNodes), denied, no_space, io.
  static Result<Store> open(const std::string& folder, std::vector<std::string>* damaged);

  size_t size() const { return nodes_.size(); }
  // nullptr: no record, or a damaged one.
  const NodeRecord* find(const Uuid& disk) const;
  bool damaged(const Uuid& disk) const;
  const NodeRecord* find_identity(const PlatformIdentity& identity) const;   // nullptr: none
  // Makes `record` the only one of its identity: written durably first, then the identity's records of other disks are
  // removed. After a power cut between the two, both stand: the machine keeps the key of a disk it no longer has, which
  // was its own. On error the store is as before. Errors: no_space, too_long (the store is full), io.
  Status save(const NodeRecord& record);

 private:
  std::string file_of(const Uuid& disk) const;
  std::string folder_;
  std::map<Uuid, std::optional<NodeRecord>> nodes_;   // nullopt: damaged
};

}  // namespace cstl
