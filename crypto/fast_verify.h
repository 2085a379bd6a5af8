// Verification of signatures several times as fast as mbedTLS's, for programs that do little else: ECDSA on P-256 and P-384
// and RSA's power computed by AWS-LC (assembly; the field arithmetic of P-384 formally verified), in the functions of
// crypto/sign.h and what is built on them, with the same results. Nothing secret passes through it: signing, key agreement
// and TLS stay mbedTLS's. It costs a program about 340 KiB; docs/cryptography.md has the figures.
#pragma once

namespace cstl {

// In force as long as one lives: usually from main()'s first line to its last. Not for threads that verify meanwhile.
class FastVerification {
 public:
  FastVerification();
  ~FastVerification();
  FastVerification(const FastVerification&) = delete;
  FastVerification& operator=(const FastVerification&) = delete;
};

}  // namespace cstl
