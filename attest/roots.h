// Vendors' roots that this build trusts, pinned by the SHA-256 of their SubjectPublicKeyInfo. The lists are text,
// policy/roots/NAME.roots, compiled in by the build; verifiers take roots as an argument, so tests bring their own.
#pragma once

#include "crypto/base/bytes.h"

namespace cstl {

struct Roots {
  const Digest32* hashes;
  size_t count;
};

extern const Roots kAmdMilanRoots;  // SEV-SNP reports, per product: a Milan chain vouches for Milan only
extern const Roots kAmdGenoaRoots;
extern const Roots kAmdTurinRoots;
extern const Roots kIntelRoots;  // Intel SGX Root CA: TDX quotes and their collateral

}  // namespace cstl
