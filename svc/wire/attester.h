// joinservice, verificationservice → attester, on a unix socket with peer credentials. docs/wire/attester.md.
#pragma once

#include "attest/variant.h"
#include "crypto/base/bytes.h"

namespace cstl {

constexpr size_t kMaxAttestSessions = 512;

struct AttestInfo {
  Variant variant = Variant::qemu_vtpm;
  static Result<AttestInfo> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

struct AttestRequest {
  Bytes sessions;                     // 1..kMaxAttestSessions digests of 32 bytes (attest/attester.h: Binding); borrowed
  size_t count() const { return sessions.size() / 32; }
  Digest32 session(size_t index) const;   // index < count()
  static Result<AttestRequest> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

// attest_response: the body is one Evidence (attest/evidence.h). activate_request: a credential (attest/tpm/credential.h);
// activate_response: the recovered secret. Opaque here.

}  // namespace cstl
