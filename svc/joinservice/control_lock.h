// Control planes join one at a time, since each changes etcd's membership: the Lease cstl-system/cstl-control-plane-join,
// held on behalf of the node (holderIdentity) for 900 s. It is free again when that node has said on its Node object that
// it has joined (kJoinedAnnotation), which is the last that it does; or when the time is up.
// The decisions, pure; the requests are made by control_join.cc. Clocks: this process's, against times that joinservices
// wrote; an error in them makes a join wait or come early, and etcd refuses what it must.
#pragma once

#include <string>

#include "crypto/base/json.h"
#include "crypto/base/result.h"

namespace cstl {

constexpr const char* kLeasePath = "/apis/coordination.k8s.io/v1/namespaces/cstl-system/leases/cstl-control-plane-join";
constexpr const char* kLeasesPath = "/apis/coordination.k8s.io/v1/namespaces/cstl-system/leases";
constexpr int64_t kLeaseSeconds = 900;

struct LeaseState {
  std::string holder;        // empty: free
  int64_t seconds_left = 0;  // 0 when free or over
  // What the holder's Node said when the lease was taken: one that has been there before counts as joined only once it
  // says something else.
  std::string before;
};

// Anything that is no Lease of ours, with a holder and times that parse, counts as held for kLeaseSeconds (it may be
// newer than we are); `now`: Unix seconds.
LeaseState lease_state(const nlohmann::json& lease, int64_t now);

// The Lease for `holder` from `now` on; `before` as above; `resource_version` empty for a new object.
nlohmann::json lease_object(const std::string& holder, const std::string& before, int64_t now,
                            const std::string& resource_version);
// The same, free.
nlohmann::json free_lease(const std::string& resource_version);

// Of a Node object: what it says about its join; empty when nothing.
std::string joined_mark(const nlohmann::json& node);
// Whether the Node shows that the join which took `lease` is over.
bool node_has_joined(const nlohmann::json& node, const LeaseState& lease);

}  // namespace cstl
