#include <cstdlib>

#include "attest/tpm/verify.h"

// TPMS_ATTEST, then the checks that look at nothing else.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl::tpm;
  auto quote = Attest::decode(cstl::Bytes(data, size));
  if (!quote) return 0;
  if (quote->type != kAttestQuote && quote->pcr_mask != 0) abort();
  if (check_selection(*quote).ok() && quote->pcr_mask != 0xffffff) abort();
  if (check_magic(*quote).ok() != (quote->magic == kGenerated)) abort();
  if (check_type(*quote).ok() != (quote->type == kAttestQuote)) abort();
  for (cstl::Bytes field : {quote->qualified_signer, quote->extra_data, quote->pcr_digest}) {
    if (!field.empty() && (field.begin() < data || field.end() > data + size)) abort();
  }
  return 0;
}
