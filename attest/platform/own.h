// What a machine accepts of its peers when it has nothing but itself to compare with: an image cannot contain its own
// hash, but it can read what was measured.
#pragma once

#include <string>

#include "attest/attester.h"
#include "attest/reference/values.h"

namespace cstl {

// One set "own-image" of evidence that `attester` makes now: PCRs 4, 9, 11 and 12, the TEE's launch measurement and the
// like (snp::Reference::own, tdx::Reference::own), with the vendors' compiled-in roots. Where only a certificate or a
// document vouches for AKs there is no root to take from oneself: then the image needs reference values with one. The
// evidence is over a nonce and appraised under the set it gave, so nobody's older or other machine's becomes the
// measure. Errors: ek_chain (tpm), ak_chain (azure-trustedlaunch, gcp-*); those of making and of appraising the own
// evidence: a machine under other roots than the vendors' needs reference values too. `problem` (may be null) says so
// in words.
Result<ReferenceSet> own_image(LocalAttester& attester, int64_t now, std::string* problem);

}  // namespace cstl
