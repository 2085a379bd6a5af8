#include "crypto/keys.h"

#include "crypto/hash.h"

namespace cstl {

namespace {
constexpr size_t kMinBucket = 3;
constexpr size_t kMaxBucket = 63;

bool is_bucket(std::string_view id) {
  if (id.size() < kMinBucket || id.size() > kMaxBucket) return false;
  for (char c : id) {
    bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!allowed) return false;
  }
  return true;
}

bool is_id_of(KeyClass key_class, std::string_view id) {
  switch (key_class) {
    case KeyClass::disk:
    case KeyClass::volume: return parse_uuid(id).ok();
    case KeyClass::cluster_measurement:
    case KeyClass::cluster_secrets:
    case KeyClass::ssh_ca: return id.empty();
    case KeyClass::object: return is_bucket(id);
  }
  return false;
}
}  // namespace

Result<KeyClass> key_class_from(uint8_t number) {
  switch (static_cast<KeyClass>(number)) {
    case KeyClass::disk:
    case KeyClass::cluster_measurement:
    case KeyClass::volume:
    case KeyClass::ssh_ca:
    case KeyClass::object:
    case KeyClass::cluster_secrets: return static_cast<KeyClass>(number);
  }
  return fail(Code::bad_key_class, "keys.class");
}

const char* key_class_name(KeyClass key_class) {
  switch (key_class) {
    case KeyClass::disk: return "disk";
    case KeyClass::cluster_measurement: return "cluster/measurement";
    case KeyClass::volume: return "volume";
    case KeyClass::ssh_ca: return "ssh-ca";
    case KeyClass::object: return "object";
    case KeyClass::cluster_secrets: return "cluster/secrets";
  }
  trap("keys.class_name");
}

Result<Key32> derive_key(const MasterSecret& master, KeyClass key_class, std::string_view id) {
  if (!is_id_of(key_class, id)) return fail(Code::bad_key_class, "keys.id");
  std::string info = std::string("cstl/1/") + key_class_name(key_class);
  if (!id.empty()) {
    info += '/';
    info += id;
  }
  Key32 out;
  TRY(hkdf_sha256(master.key.declassify(), master.salt.declassify(), info, out.fill()));
  return out;
}

Result<Digest32> derive_cluster_id(const Key32& measurement_key, Bytes measurement_salt) {
  Digest32 out;
  TRY(hkdf_sha256(measurement_key.declassify(), measurement_salt, "cstl/1/clusterID", out));
  return out;
}

// Not to_hex(): its string would leave the key behind on the heap.
Secret<64> disk_passphrase(const Key32& disk_key) {
  static constexpr char kHex[] = "0123456789abcdef";
  Secret<64> out;
  Bytes key = disk_key.declassify();
  uint8_t* digits = out.fill().data();
  for (size_t i = 0; i < key.size(); ++i) {
    digits[2 * i] = static_cast<uint8_t>(kHex[key[i] >> 4]);
    digits[2 * i + 1] = static_cast<uint8_t>(kHex[key[i] & 15]);
  }
  return out;
}

}  // namespace cstl
