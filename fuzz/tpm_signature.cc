#include <cstdlib>

#include "attest/tpm/structures.h"

// TPMT_SIGNATURE: one kind of signature, within the input, and nothing of the other kind.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl::tpm;
  auto signature = Signature::decode(cstl::Bytes(data, size));
  if (!signature) return 0;
  bool ecdsa = signature->algorithm == kAlgEcdsa;
  if (signature->hash != kAlgSha256 || (ecdsa && !signature->rsa.empty())) abort();
  if (!ecdsa && (!signature->r.empty() || !signature->s.empty())) abort();
  if (signature->r.size() > 32 || signature->s.size() > 32 || signature->rsa.size() > 512) abort();
  size_t fixed = ecdsa ? 8 : 6;
  if (fixed + signature->rsa.size() + signature->r.size() + signature->s.size() != size) abort();
  return 0;
}
