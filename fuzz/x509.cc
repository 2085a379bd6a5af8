#include <cstdlib>

#include "crypto/x509.h"

using namespace cstl;

// A certificate, or a PEM file of them. What is accepted has one key, one hash of it, and nothing behind it; pinned by
// that hash it is no root of itself unless it is self-issued.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes input(data, size);
  Result<std::vector<std::vector<uint8_t>>> list = certificates_from_file(input);
  Result<PublicKey> key = certificate_key(input);
  if (!key.ok() && key.code() != Code::bad_certificate) abort();
  if (!list.ok()) return 0;
  for (const std::vector<uint8_t>& der : *list) {
    Result<PublicKey> inside = certificate_key(der);
    Result<Digest32> hash = certificate_spki_hash(der);
    if (!inside.ok() || !hash.ok() || *sha256({inside->spki}) != *hash) abort();
    if (inside->kind == KeyKind::p256 && inside->point.size() != 65) abort();
    std::vector<uint8_t> more = der;
    more.push_back(0);
    if (certificate_key(more).code() != Code::bad_certificate) abort();
    std::vector<Bytes> others(list->begin(), list->end());
    Code code = verify_chain(der, others, {&*hash, 1, 0}).code();
    if (code != Code::ok && code != Code::untrusted_chain && code != Code::bad_certificate) abort();
  }
  return 0;
}
