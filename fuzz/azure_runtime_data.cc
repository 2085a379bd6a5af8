#include <cstdlib>

#include "attest/azure/runtime_data.h"

// Runtime data: what is accepted names one key, and no other key passes for it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto runtime = cstl::azure::RuntimeData::parse(cstl::Bytes(data, size));
  if (!runtime) return 0;
  if (runtime->modulus.empty() || runtime->modulus[0] == 0 || runtime->vm_id.size() > 64) abort();
  cstl::tpm::Public ak;
  ak.type = cstl::tpm::kAlgRsa;
  ak.rsa_exponent = runtime->exponent;
  ak.rsa_modulus = runtime->modulus;
  if (!cstl::azure::check_ak(*runtime, ak).ok()) abort();
  std::vector<uint8_t> other = runtime->modulus;
  other.back() ^= 2;
  ak.rsa_modulus = other;
  if (cstl::azure::check_ak(*runtime, ak).ok()) abort();
  return 0;
}
