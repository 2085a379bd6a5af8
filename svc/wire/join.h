// node → joinservice, both sides attest. docs/wire/join.md.
#pragma once

#include "attest/reference/values.h"
#include "crypto/keys.h"
#include "crypto/sign.h"

namespace cstl {

constexpr size_t kMaxNodeName = 63;   // RFC 1123 label: [a-z0-9]([a-z0-9-]*[a-z0-9])?
bool valid_node_name(Bytes name);

struct JoinRequest {
  Uuid disk{};
  Role role = Role::worker;
  Bytes name;                         // borrowed; checked form
  static Result<JoinRequest> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

struct JoinTicket {                   // carries secrets
  Key32 disk_key;                     // of the requested disk only
  Key32 measurement_key;
  Digest32 measurement_salt{};
  P256Point owner_key{};
  // Control planes only (else both empty): master secret and reference values, so that they can serve joins themselves.
  std::optional<MasterSecret> master;
  Bytes reference_values;
  static Result<JoinTicket> decode(Bytes body);
  Result<SecretBuffer> encode() const;
};

struct RejoinRequest {
  Uuid disk{};
  static Result<RejoinRequest> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

struct RejoinTicket {                 // carries secrets
  Key32 disk_key;
  Key32 measurement_key;
  static Result<RejoinTicket> decode(Bytes body);
  Result<SecretBuffer> encode() const;
};

}  // namespace cstl
