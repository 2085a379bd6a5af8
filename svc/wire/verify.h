// Anyone → verificationservice: the evidence itself travels in aTLS; these are the facts that go with it. docs/wire/verify.md.
#pragma once

#include "attest/reference/values.h"

namespace cstl {

// verify_request: empty body.
struct VerifyResponse {
  Digest32 cluster_id{};
  Role role = Role::worker;
  Bytes name;      // at most 63 bytes
  Bytes version;   // at most 32 bytes, of the programs on the machine
  static Result<VerifyResponse> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

}  // namespace cstl
