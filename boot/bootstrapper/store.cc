#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/bootstrapper/admission.h"
#include "crypto/base/fd.h"
#include "svc/run/lockdown.h"

namespace cstl {
namespace {

Status give_to(const std::string& path, int flags, uid_t owner) {
  TRY_LET(Fd file, open_file(path.c_str(), O_RDONLY | O_NOFOLLOW | flags));
  if (fchown(file.get(), owner, owner) != 0) return fail_errno("store.owner");
  if (fsync(file.get()) != 0) return fail_errno("store.fsync");
  return success();
}

Status make_owned_folder(const std::string& path, uid_t owner) {
  TRY(make_folders(path, 0700));
  return give_to(path, O_DIRECTORY, owner);
}

Status write_owned(const std::string& path, Bytes data, uid_t owner) {
  TRY(write_file_durably(path.c_str(), data, 0600));
  return give_to(path, 0, owner);
}

Status sync_folder(const std::string& path) {
  TRY_LET(Fd folder, open_file(path.c_str(), O_RDONLY | O_DIRECTORY));
  if (fsync(folder.get()) != 0) return fail_errno("store.fsync_folder");
  return success();
}

}  // namespace

Status write_control_plane_store(const Admission& admission, const Places& places) {
  if (!admission.master) return fail(Code::internal, "store.master");
  TRY(make_owned_folder(places.state + "/keyservice", kKeyserviceUid));
  SecretBuffer master(2 * kKeySize);
  Writer w(master.space());
  w.bytes(admission.master->key.declassify());
  w.bytes(admission.master->salt.declassify());
  TRY_LET(Bytes encoded, w.finish());
  TRY(write_owned(places.master_secret(), encoded, kKeyserviceUid));

  std::string store = places.joinservice_store();
  TRY(make_owned_folder(store, kJoinserviceUid));
  TRY(make_owned_folder(store + "/nodes", kJoinserviceUid));
  TRY(write_owned(store + "/reference-values.json", admission.reference_values, kJoinserviceUid));
  TRY(write_owned(store + "/owner.key", admission.node.owner_key, kJoinserviceUid));
  TRY(sync_folder(store));
  return sync_folder(places.state);
}

}  // namespace cstl
