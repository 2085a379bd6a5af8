// What the keyservice holds and to whom it gives what. No I/O but load_master(); never logs.
#pragma once

#include <sys/types.h>

#include "crypto/base/fd.h"
#include "svc/wire/key.h"

namespace cstl {

// The 64 bytes key ‖ salt of `path`, straight into locked pages. Errors: no_master_secret (no such file), bad_value (not
// 64 bytes, or a key of zeros), lock_failed, denied, io.
Result<Locked<MasterSecret>> load_master(const char* path);

// Whether `uid` may ask for anything at all.
bool may_ask(uid_t uid);

// The one table of who may ask for which class. Errors: peer_credentials (no line for this uid), bad_key_class (the
// class is not this uid's, or the id is not of the class's form).
Result<Key32> release_key(const MasterSecret& master, uid_t uid, const KeyRequest& request);

}  // namespace cstl
