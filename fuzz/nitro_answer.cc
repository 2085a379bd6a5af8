#include <cstdlib>

#include "attest/aws/document.h"

// What the Nitro hypervisor writes into the message buffer: a document lies inside it, within its bound.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cstl::Bytes input(data, size);
  const auto document = cstl::aws::document_in(input);
  if (!document) return 0;
  const bool inside = document->data() >= input.data() && document->size() <= input.size() &&
                      document->data() - input.data() <= static_cast<std::ptrdiff_t>(input.size() - document->size());
  if (!inside || document->size() > cstl::aws::kMaxDocument) abort();
  return 0;
}
