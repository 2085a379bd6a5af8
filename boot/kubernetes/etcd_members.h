// Members of etcd, as its JSON gateway tells them (/v3/cluster/member/…, etcd 3.4 and later): what of the answers counts,
// and what a joining control plane makes of it. Pure; nothing here is secret.
#pragma once

#include <string>
#include <vector>

#include "crypto/base/address.h"
#include "crypto/base/json.h"

namespace cstl::kubernetes {

constexpr size_t kMaxEtcdMembers = 32;
constexpr uint16_t kEtcdPort = 2379, kEtcdPeerPort = 2380;

struct EtcdMember {
  std::string id;         // decimal, 64 bits
  std::string name;       // empty: it was added, but has never started; else letters, digits, '-' and '.', at most 253
  std::string peer;       // "https://10.0.2.16:2380"
  bool learner = false;   // gets the data, has no vote
};

// The members of an answer to member/list. Errors: api_garbage: not that, more than kMaxEtcdMembers, other than one peer
// URL with an address each, names that have no place in a command line.
Result<std::vector<EtcdMember>> parse_members(const nlohmann::json& answer);

// "https://10.0.2.16:2380"
std::string peer_url(const IpAddress& address);

enum class MemberStep : uint8_t {
  add,      // there is none of ours: as a learner
  remove,   // one of ours that had data which this disk does not hold: it can't come back
  go_on,    // ours
};
// For the machine with this peer URL; `data`: its disk holds data of a member. `own` is set unless the step is `add`.
MemberStep member_step(const std::vector<EtcdMember>& members, const std::string& peer, bool data, EtcdMember* own);

// etcd's --initial-cluster; our own member is called `name`, others without one by their id.
std::string initial_cluster(const std::vector<EtcdMember>& members, const std::string& peer, const std::string& name);

}  // namespace cstl::kubernetes
