// The records as Kubernetes objects (node_object.h): listed and watched into memory, written with resourceVersion.
//
// Several joinservices write at once, and what Kubernetes keeps unique is the name alone. So a written record counts, and
// save() succeeds, only once the watch has shown it: whatever was written before it is then in memory. If another object
// claims the same disk, identity, address or WireGuard key by then, this one is taken back. Of two that collide at most
// one stands (both may lose, and try again).
// A name that was written by somebody else meanwhile gives api_conflict, with memory up to date: decide again.
// An object that cannot be read blocks its name and disk. Nothing here is secret; never logs: the hooks tell the program.
#pragma once

#include <list>

#include "svc/joinservice/store.h"
#include "svc/kubernetes/client.h"

namespace cstl {

struct StoreHooks {
  std::function<void(const std::string& name, const Error&)> on_damaged;        // once per version of the object
  std::function<void(const char* what, const Error&, const std::string& problem)> on_problem;  // requests that failed
  std::function<void(size_t nodes)> on_synced;                                  // after each list
};

class KubernetesStore final : public Store {
 public:
  // All are borrowed and outlive the store, but for its last turn of the loop.
  KubernetesStore(kubernetes::Client& client, Loop& loop, StoreHooks hooks);
  ~KubernetesStore() override;

  void start();                            // begins to list and watch
  bool synced() const { return synced_; }  // the first list is complete
  const Nodes& nodes() const override { return nodes_; }

  // Errors: api_conflict, disk_taken, node_differs, address_taken, key_taken (as above), too_long (full), timeout (the
  // watch did not show it within 10 s), and those of the client.
  void save(const NodeRecord& record, std::function<void(Status)> done) override;
  // Reads the object `name` anew, into memory too. Errors: unknown_node (it is gone), record_malformed, and those of the client.
  void confirm(const std::string& name, std::function<void(Result<NodeRecord>)> done);
  // Writes status.lastAttestation, some time; a failure goes to on_problem only.
  void attested(const std::string& name, int64_t now);

 private:
  struct Written {
    NodeRecord record;
    std::optional<NodeRecord> before;
    std::string version;      // that the watch must show
    int64_t deadline;
    std::function<void(Status)> done;
  };
  void take(const kubernetes::Json& object, bool watched);
  void forget(const kubernetes::Json& object);
  void learn(const std::string& name, const std::string& version);
  void written(Written entry, Result<kubernetes::Json> answer);
  void reread(const std::string& name, std::function<void(Status)> done);
  void settle(const std::string& name);
  Status claims(const Written& entry) const;
  void take_back(const Written& entry);
  void sweep();

  kubernetes::Client& client_;
  Loop& loop_;
  StoreHooks hooks_;
  Nodes nodes_;
  bool synced_ = false;
  struct Version {
    std::string shown;    // the last that the watch showed; empty: none yet
    std::string newest;   // that any answer gave: what a replacement goes by
  };
  std::map<std::string, Version> versions_;   // by name
  std::list<Written> waiting_;
  kubernetes::Client::Id watch_ = 0;
  Loop::Id timer_ = 0;
};

// Whether a watch that showed `seen` has passed `wanted`: versions are etcd's revisions, decimal, rising. Anything that is
// not counts only when equal.
bool version_reached(const std::string& seen, const std::string& wanted);

}  // namespace cstl
