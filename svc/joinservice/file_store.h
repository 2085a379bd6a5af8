// The embedded store of a control plane: one file per node, nodes/<disk uuid>.json, each written whole and durably
// (crypto/base/fd.h), all read at start. For line mode, without Kubernetes. One process at a time writes it.
//
// {"cstl": "node/1", "disk": "<uuid>", "identity": "<hex>", "role": "worker", "name": "…", "reference_set": "…",
//  "first_joined": <Unix seconds>}; all fields, no others.
//
// A record that cannot be read still holds its disk: joins and rejoins of that disk are refused until an operator
// restores or removes the file.
#pragma once

#include <string>
#include <vector>

#include "svc/joinservice/store.h"

namespace cstl {

class FileStore final : public Store {
 public:
  // Reads `folder`/nodes, which is made if it is missing. `damaged` gets the names of files that hold no record.
  // Errors: too_long (more than kMaxNodes), denied, no_space, io.
  static Result<FileStore> open(const std::string& folder, std::vector<std::string>* damaged);

  const Nodes& nodes() const override { return nodes_; }
  void save(const NodeRecord& record, std::function<void(Status)> done) override { done(save(record)); }
  // Makes `record` the only one of its identity: written durably first, then the identity's records of other disks are
  // removed. After a power cut between the two, both stand: the machine keeps the key of a disk it no longer has, which
  // was its own. On error the store is as before. Errors: record_malformed (a damaged file holds the disk), no_space,
  // too_long (the store is full), io.
  Status save(const NodeRecord& record);

 private:
  std::string file_of(const std::string& key) const;
  std::string folder_;
  Nodes nodes_;   // by the disk's text
};

}  // namespace cstl
