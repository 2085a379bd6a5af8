#include <cstdlib>

#include "crypto/crl.h"
#include "crypto/public_key.h"

using namespace cstl;

// A CRL (DER or PEM) or a certificate. What is accepted is not accepted with a byte less or more; nothing is both; each
// extension of a certificate is found by its OID; a key is of the bytes that it was read from.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes input(data, size);
  std::vector<uint8_t> more = input.copy();
  more.push_back(0);
  Result<std::vector<uint8_t>> file = crl_from_file(input);
  if (!file.ok() && file.code() != Code::crl_malformed) abort();
  if (Result<Crl> crl = Crl::parse(input); crl.ok()) {
    if (!file.ok() || !equal(*file, input) || Crl::parse(more).ok() || size == 0) abort();
    if (Crl::parse(input.first(size - 1)).ok()) abort();
    if (crl->lists({})) abort();
    (void)crl->check_time(1);
  }
  if (Result<CertificateView> view = CertificateView::parse(input); view.ok()) {
    if (CertificateView::parse(more).ok() || CertificateView::parse(input.first(size - 1)).ok()) abort();
    DerReader list(view->extensions, Code::internal);
    while (!list.empty()) {
      Result<Extension> one = take_extension(&list);
      if (!one.ok()) abort();
      Result<Bytes> found = view->extension(one->oid);
      if (!found.ok() || found->data() != one->value.data()) abort();
    }
    (void)parse_signature_algorithm(view->algorithm, Code::bad_certificate);
    if (Result<PublicKey> key = parse_public_key(view->spki); key.ok() && !equal(key->spki, view->spki)) abort();
    if (Result<Crl> crl = Crl::parse(input); crl.ok()) abort();  // nothing is both
  }
  return 0;
}
