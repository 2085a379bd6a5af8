#include <cstdlib>

#include "attest/tdx/pck.h"

// Intel's extensions of PCK certificates, and the PEM chains that hold those: bounded, one refusal each, one text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  using namespace cstl::tdx;
  Bytes input(data, size);
  auto extensions = PckExtensions::decode(input);
  if (!extensions.ok() && extensions.code() != Code::tdx_pck_extensions) abort();
  if (extensions.ok() && PckExtensions::decode(input.first(size - 1)).ok()) abort();
  auto chain = PckChain::decode(input);
  if (!chain.ok() && chain.code() != Code::tdx_pck_chain) abort();
  if (common_name(input).size() > size) abort();
  return 0;
}
