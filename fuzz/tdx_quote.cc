#include <cstdlib>

#include "attest/tdx/verify.h"

// TDX quotes: what parses is exactly as long as its sizes say, borrows from the input, and no made-up quote verifies.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  using namespace cstl::tdx;
  Bytes input(data, size);
  auto quote = Quote::decode(input);
  auto length = quote_size(input);
  if (!quote.ok()) return 0;
  if (!length.ok() || *length != size) abort();
  for (Bytes part : {quote->signed_bytes, quote->qe_auth_data, quote->pck_chain, quote->qe_report.raw}) {
    if (!part.empty() && (part.begin() < input.begin() || part.end() > input.end())) abort();
  }
  if (quote->report.is_15 && quote->version != 5) abort();
  auto chain = PckChain::decode(quote->pck_chain);
  if (chain.ok()) {
    (void)pck_ca_of(*chain);         // whatever they say, they end
    (void)pck_extensions_of(*chain);
  }
  const Digest32 nobody{};
  QuoteStep step = QuoteStep::form;
  if (verify_quote(input, nullptr, Trust{&nobody, 1, 1'800'000'000}, {}, step).ok()) abort();
  if (step != QuoteStep::pck_chain) abort();
  return 0;
}
