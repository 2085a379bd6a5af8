// The key hierarchy. Every key of a cluster is HKDF-SHA256(master key, master salt, "cstl/1/" + class + "/" + id, size).
// Classes are an enum and ids have a checked form, so that no peer can choose a key of another class.
#pragma once

#include <string>

#include "crypto/base/secret.h"

namespace cstl {

constexpr size_t kKeySize = 32;
using Key32 = Secret<kKeySize>;

// Secret: the root of a cluster. The CLI makes it; the keyservice holds it in locked pages.
struct MasterSecret {
  Key32 key;
  Key32 salt;
};

// The numbers travel in KeyRequest; never renumber.
enum class KeyClass : uint8_t {
  disk = 1,                 // id: lower-case UUID of the LUKS2 header
  cluster_measurement = 2,  // id: empty; the info string is then "cstl/1/cluster/measurement"
  volume = 3,               // id: lower-case UUID
  ssh_ca = 4,               // id: empty; "cstl/1/ssh-ca"
  object = 5,               // id: bucket name, [a-z0-9.-]{3,63}
  cluster_secrets = 6,      // id: empty; "cstl/1/cluster/secrets": what the API server encrypts Secrets in etcd with
};

Result<KeyClass> key_class_from(uint8_t number);  // bad_key_class
const char* key_class_name(KeyClass key_class);   // "disk", "cluster/measurement", "volume", …, "cluster/secrets"

// Errors: bad_key_class when the id is not of the class's form.
Result<Key32> derive_key(const MasterSecret& master, KeyClass key_class, std::string_view id);

// clusterID = HKDF(cluster/measurement key, measurement salt, "cstl/1/clusterID", 32): public.
Result<Digest32> derive_cluster_id(const Key32& measurement_key, Bytes measurement_salt);

// The passphrase of a state disk is its derived key as 64 lower-case hexadecimal digits (so that people can type it
// into cryptsetup when everything else fails). Secret.
Secret<64> disk_passphrase(const Key32& disk_key);

}  // namespace cstl
