// The cluster of tests/e2e/disk_test.sh: fixed secrets, shared by the machine's and the operator's side.
#pragma once

#include <cstring>

#include "boot/state/node_state.h"
#include "crypto/keys.h"

namespace cstl::test {

inline MasterSecret disk_test_master() {
  MasterSecret out;
  std::memset(out.key.fill().data(), 0x11, kKeySize);
  std::memset(out.salt.fill().data(), 0x22, kKeySize);
  return out;
}

inline Result<SigningKey> disk_test_owner() {
  Secret<32> scalar;
  std::memset(scalar.fill().data(), 0x33, scalar.size());
  return SigningKey::from_scalar(scalar);
}

inline Result<NodeState> disk_test_node() {
  NodeState out;
  out.name = "disk-test";
  out.measurement_salt.fill(0x44);
  TRY_LET(const Key32 key, derive_key(disk_test_master(), KeyClass::cluster_measurement, ""));
  TRY_LET(out.cluster_id, derive_cluster_id(key, out.measurement_salt));
  TRY_LET(const SigningKey owner, disk_test_owner());
  out.owner_key = owner.point();
  return out;
}

}  // namespace cstl::test
