#include "svc/keyservice/release.h"

#include "svc/run/lockdown.h"
#include "tests/svc/joinservice/folder.h"

namespace cstl {
namespace {

MasterSecret master() {
  MasterSecret out;
  out.key.fill().data()[0] = 1;
  return out;
}

TEST_CASE("who may ask for which key") {
  struct Row {
    const char* name;
    uid_t uid;
    KeyClass key_class;
    const char* id;
    Code code;
  };
  constexpr const char* kDisk = "0b1c7a52-3f5e-4c11-9d80-6d2f1f0e0a01";
  const Row rows[] = {
      {"the joinservice, a disk", kJoinserviceUid, KeyClass::disk, kDisk, Code::ok},
      {"the joinservice, the measurement key", kJoinserviceUid, KeyClass::cluster_measurement, "", Code::ok},
      {"the joinservice, the key of secrets in etcd", kJoinserviceUid, KeyClass::cluster_secrets, "", Code::ok},
      {"the joinservice, the same with an id", kJoinserviceUid, KeyClass::cluster_secrets, "x", Code::bad_key_class},
      {"the joinservice, an object's key", kJoinserviceUid, KeyClass::object, "bucket", Code::bad_key_class},
      {"the verificationservice, the key of secrets in etcd", kVerificationserviceUid, KeyClass::cluster_secrets, "", Code::peer_credentials},
      {"the joinservice, a disk that is no UUID", kJoinserviceUid, KeyClass::disk, "../master", Code::bad_key_class},
      {"the joinservice, a disk in capitals", kJoinserviceUid, KeyClass::disk, "0B1C7A52-3f5e-4c11-9d80-6d2f1f0e0a01", Code::bad_key_class},
      {"the joinservice, a measurement key with an id", kJoinserviceUid, KeyClass::cluster_measurement, kDisk, Code::bad_key_class},
      {"the joinservice, a volume", kJoinserviceUid, KeyClass::volume, kDisk, Code::bad_key_class},
      {"the joinservice, the SSH CA", kJoinserviceUid, KeyClass::ssh_ca, "", Code::bad_key_class},
      {"the verificationservice", kVerificationserviceUid, KeyClass::disk, kDisk, Code::peer_credentials},
      {"the keyservice itself", kKeyserviceUid, KeyClass::disk, kDisk, Code::peer_credentials},
      {"root", 0, KeyClass::disk, kDisk, Code::peer_credentials},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    KeyRequest request;
    request.key_class = row.key_class;
    request.id = row.id;
    auto key = release_key(master(), row.uid, request);
    CHECK(key.code() == row.code);
    CHECK(may_ask(row.uid) == (row.code != Code::peer_credentials));
    if (key.ok()) CHECK(ct_equal(key->declassify(), derive_key(master(), row.key_class, row.id)->declassify()));
  }
}

TEST_CASE("the master secret is 64 bytes in a file, and not zero") {
  test::Folder folder;
  auto load = [&] { return load_master((folder.path + "/master").c_str()); };
  CHECK(load().code() == Code::no_master_secret);
  for (auto [size, code] : {std::pair{size_t{0}, Code::bad_value}, {size_t{32}, Code::bad_value}, {size_t{63}, Code::bad_value},
                            {size_t{65}, Code::bad_value}, {size_t{64}, Code::ok}}) {
    folder.write("master", std::string(size, 'k'));
    CHECK(load().code() == code);
  }
  folder.write("master", std::string(32, '\0') + std::string(32, 's'));
  CHECK(load().code() == Code::bad_value);
  folder.write("master", std::string(32, 'k') + std::string(32, 's'));
  auto loaded = load();
  REQUIRE(loaded.ok());
  CHECK(equal((*loaded)->key.declassify(), std::string(32, 'k')));
  CHECK(equal((*loaded)->salt.declassify(), std::string(32, 's')));
  CHECK(load_master(folder.path.c_str()).ok() == false);
}

}  // namespace
}  // namespace cstl
