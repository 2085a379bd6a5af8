// The messages of aTLS 1 after TLS's Finished and before any request: hello, evidence, challenge, activation, verdict,
// and the error frame that may end a connection at any time. Field tables: docs/wire/atls.md.
#pragma once

#include "attest/atls/frame.h"
#include "attest/evidence.h"

namespace cstl {

constexpr size_t kMaxErrorText = 512;

struct Hello {            // each side sends exactly one, first
  Digest32 nonce{};       // 32 random bytes; fresh for this session
  VariantSet demanded = 0;  // variants whose evidence this side accepts; 0: none is demanded
  VariantSet offered = 0;   // variants this side can attest with; 0: none
  static Result<Hello> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

// evidence: the body is one Evidence (attest/evidence.h), opaque here.
// challenge: the body is a credential (attest/tpm/credential.h); activation: the body is the recovered secret.

struct VerdictMessage {   // each side sends exactly one; code 0 means passed (also when nothing was demanded)
  uint16_t code = 0;
  Bytes text;             // UTF-8 for people, at most kMaxErrorText
  static Result<VerdictMessage> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

using ErrorMessage = VerdictMessage;  // same fields; ends the connection

}  // namespace cstl
