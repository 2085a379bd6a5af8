// A certificate request, as DER and as PEM: what parses has one key and one subject, and is nobody else's.
#include <cstdlib>

#include "svc/joinservice/csr.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  Bytes input(data, size);
  auto request = parse_certificate_request(input);
  if (!request.ok()) {
    if (request.code() != Code::csr_refused) std::abort();
    auto pem = parse_certificate_request_pem(input.text());
    if (!pem.ok() && pem.code() != Code::csr_refused) std::abort();
    return 0;
  }
  auto again = parse_certificate_request_pem(certificate_request_pem(input));
  if (!again.ok() || again->key != request->key || again->common_name != request->common_name) std::abort();
  if (check_client_request(*request, "n1").ok() && check_client_request(*request, "n2").ok()) std::abort();
  std::vector<uint8_t> more = input.copy();
  more.push_back(0);
  if (parse_certificate_request(more).ok()) std::abort();
  return 0;
}
