#include "crypto/keys.h"

#include <doctest/doctest.h>

using namespace cstl;

namespace {
constexpr const char* kUuid = "01234567-89ab-cdef-0123-456789abcdef";

// Key 00 01 … 1f, salt 20 21 … 3f.
MasterSecret counting_master() {
  MasterSecret master;
  for (int i = 0; i < 32; ++i) {
    master.key.fill().data()[i] = static_cast<uint8_t>(i);
    master.salt.fill().data()[i] = static_cast<uint8_t>(32 + i);
  }
  return master;
}
}  // namespace

// The values come from Python's hmac and hashlib, over RFC 5869 written out.
TEST_CASE("every class derives its golden key") {
  struct Row { KeyClass key_class; const char* id; const char* key; } rows[] = {
      {KeyClass::disk, kUuid, "815814fbf73f009ad0daa6c89ff03628a13a3df9f4c425eb9b5bb8cc1c2d3530"},
      {KeyClass::cluster_measurement, "", "ebd50e0f294ee7a181dae4f7855d0b891bb7c8bee677095f7bdc5931fc5f07f6"},
      {KeyClass::volume, kUuid, "e4ab67829b48f3104869553b9008983bbc1d1539a9e7d5a20fd9d354bb420d2a"},
      {KeyClass::ssh_ca, "", "ff17ceff6763295f1fb987660de80db78922bbc95cffc0e46a7c1b28e4ae719f"},
      {KeyClass::object, "backups.eu-1", "356fd09cd2bb62e2bb1316c5c123b05df8fa1ad5eaa115c1dc141ec0bb3365c0"},
      {KeyClass::cluster_secrets, "", "7823abf6033ae8f45cea8ed7eeb23fd9d0e268510560bc0ec865a63264088b44"},
  };
  MasterSecret master = counting_master();
  for (const Row& row : rows) {
    CAPTURE(key_class_name(row.key_class));
    Result<Key32> key = derive_key(master, row.key_class, row.id);
    REQUIRE(key.ok());
    CHECK(to_hex(key->declassify()) == row.key);
    CHECK(*key_class_from(static_cast<uint8_t>(row.key_class)) == row.key_class);
  }
}

TEST_CASE("the clusterID follows from the measurement key and salt alone") {
  Result<Key32> key = derive_key(counting_master(), KeyClass::cluster_measurement, "");
  REQUIRE(key.ok());
  Digest32 salt;
  salt.fill(0xa5);
  CHECK(to_hex(*derive_cluster_id(*key, salt)) == "4e37ccef0530d81be37503983054a91e7227f2697fee3557a54e9bf2ddf1f48b");
  salt[31] ^= 1;
  CHECK(to_hex(*derive_cluster_id(*key, salt)) != "4e37ccef0530d81be37503983054a91e7227f2697fee3557a54e9bf2ddf1f48b");
}

TEST_CASE("an id that is not of its class's form gets no key") {
  struct Row { const char* why; KeyClass key_class; std::string id; } rows[] = {
      {"no disk", KeyClass::disk, ""},
      {"upper-case UUID", KeyClass::disk, "01234567-89AB-cdef-0123-456789abcdef"},
      {"a path behind the UUID", KeyClass::disk, std::string(kUuid) + "/x"},
      {"a zero behind the UUID", KeyClass::disk, std::string(kUuid) + std::string(1, '\0')},
      {"UUID without dashes", KeyClass::volume, "0123456789abcdef0123456789abcdef"},
      {"an id for the cluster", KeyClass::cluster_measurement, "x"},
      {"an id for the secrets of the cluster", KeyClass::cluster_secrets, "x"},
      {"an id for the ssh CA", KeyClass::ssh_ca, kUuid},
      {"short bucket", KeyClass::object, "ab"},
      {"long bucket", KeyClass::object, std::string(64, 'a')},
      {"slash in a bucket", KeyClass::object, "a/b"},
      {"upper-case bucket", KeyClass::object, "Abc"},
      {"no such class", static_cast<KeyClass>(9), ""},
  };
  MasterSecret master = counting_master();
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    CHECK(derive_key(master, row.key_class, row.id).code() == Code::bad_key_class);
  }
  for (int number : {0, 7, 9, 255}) CHECK(key_class_from(static_cast<uint8_t>(number)).code() == Code::bad_key_class);
}

TEST_CASE("a disk's passphrase is its key in lower-case hexadecimal") {
  Result<Key32> key = derive_key(counting_master(), KeyClass::disk, kUuid);
  REQUIRE(key.ok());
  CHECK(disk_passphrase(*key).declassify().text() ==
        "815814fbf73f009ad0daa6c89ff03628a13a3df9f4c425eb9b5bb8cc1c2d3530");
}
