// `cstl recover` → a machine that waits for its disk key. The server attests; the message is signed by the owner key and
// carries only this node's derived keys, never the master secret. docs/wire/recover.md.
#pragma once

#include "crypto/keys.h"
#include "crypto/sign.h"
#include "svc/wire/init.h"

namespace cstl {

// recover_query: empty body.
struct RecoverInfo {
  Uuid disk{};                        // whose key is needed
  static Result<RecoverInfo> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

struct RecoverRequest {               // carries secrets
  Key32 disk_key;
  Key32 measurement_key;
  P256Signature signature{};          // over owner_digest("cstl-recover-1", exporter, both keys)
  static Result<RecoverRequest> decode(Bytes body);
  static Result<SecretBuffer> encode(const RecoverRequest& fields, const SigningKey& owner, const Secret<32>& exporter);
  static Status verify_owner(Bytes body, const P256Point& owner, const Secret<32>& exporter);
};

// recover_done: empty body; the disk is open.

}  // namespace cstl
