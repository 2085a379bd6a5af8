#include <cstdlib>

#include "attest/snp/certificates.h"

// AMD's extensions of a certificate, whose signature nobody checks here.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  using namespace cstl::snp;
  auto leaf = Leaf::parse(Bytes(data, size));
  if (!leaf) return 0;
  if (leaf->product == Product::unknown || leaf->kind == Signer::none) abort();
  if (leaf->hwid.empty() == leaf->csp_id.empty()) abort();
  if (Tcb::from(leaf->tcb_raw, leaf->product).text() != leaf->tcb.text()) abort();
  for (Bytes field : {leaf->product_name, leaf->hwid, leaf->csp_id, leaf->view.spki}) {
    if (!field.empty() && (field.begin() < data || field.end() > data + size)) abort();
  }
  return 0;
}
