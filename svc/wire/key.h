// joinservice → keyservice, on a unix socket with peer credentials. docs/wire/key.md.
#pragma once

#include "crypto/keys.h"

namespace cstl {

constexpr size_t kMaxKeyId = 64;

struct KeyRequest {
  KeyClass key_class = KeyClass::disk;
  Bytes id;                           // of the class's form (crypto/keys.h); borrowed
  static Result<KeyRequest> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

struct KeyResponse {                  // carries a secret
  Key32 key;
  static Result<KeyResponse> decode(Bytes body);
  Result<SecretBuffer> encode() const;
};

}  // namespace cstl
