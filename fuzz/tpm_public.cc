#include <cstdlib>

#include "attest/tpm/verify.h"

// TPMT_PUBLIC, its name, and whether it may be an attestation key.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl::tpm;
  cstl::Bytes input(data, size);
  auto key = Public::decode(input);
  if (!key) return 0;
  if (name_of(input).ok() != (key->name_algorithm == kAlgSha256)) abort();
  if (check_key(*key).ok() && ((key->attributes & kDecrypt) != 0 || (key->attributes & kRestricted) == 0)) abort();
  if (key->type == kAlgEcc && (key->ecc_x.size() > 32 || key->ecc_y.size() > 32 || !key->rsa_modulus.empty())) abort();
  if (key->type == kAlgRsa && key->rsa_modulus.size() * 8 != key->rsa_bits) abort();
  return 0;
}
