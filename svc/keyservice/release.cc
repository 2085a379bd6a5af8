#include "svc/keyservice/release.h"

#include <fcntl.h>
#include <unistd.h>

#include "svc/run/lockdown.h"

namespace cstl {

namespace {
struct Grant {
  uid_t uid;
  KeyClass key_class;
};
constexpr Grant kGrants[] = {
    {kJoinserviceUid, KeyClass::disk},
    {kJoinserviceUid, KeyClass::cluster_measurement},
    // For tickets of control planes alone: the joinservice asks after the reference set admitted that role.
    {kJoinserviceUid, KeyClass::cluster_secrets},
};
}  // namespace

Result<Locked<MasterSecret>> load_master(const char* path) {
  auto file = open_file(path, O_RDONLY);  // in a pod it is a link: so Kubernetes replaces the files of a volume at once
  if (file.code() == Code::not_found) {
    return fail(Code::no_master_secret, "master.open", Origin::errno_value, file.error().foreign);
  }
  if (!file.ok()) return file.error();
  TRY_LET(Locked<MasterSecret> master, Locked<MasterSecret>::create());
  for (MutBytes part : {master->key.fill(), master->salt.fill()}) {
    Status read = read_exact(file->get(), part);
    if (read.code() == Code::closed) return fail(Code::bad_value, "master.short");
    TRY(read);
  }
  uint8_t more = 0;
  if (read(file->get(), &more, 1) != 0) return fail(Code::bad_value, "master.long");
  Key32 zeros;
  if (ct_equal(master->key.declassify(), zeros.declassify())) return fail(Code::bad_value, "master.zeros");
  return master;
}

bool may_ask(uid_t uid) {
  for (const Grant& grant : kGrants) {
    if (grant.uid == uid) return true;
  }
  return false;
}

Result<Key32> release_key(const MasterSecret& master, uid_t uid, const KeyRequest& request) {
  if (!may_ask(uid)) return fail(Code::peer_credentials, "release.uid");
  for (const Grant& grant : kGrants) {
    if (grant.uid == uid && grant.key_class == request.key_class) {
      return derive_key(master, request.key_class, request.id.text());
    }
  }
  return fail(Code::bad_key_class, "release.class");
}

}  // namespace cstl
