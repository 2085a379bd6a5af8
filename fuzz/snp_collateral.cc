#include "attest/snp/collateral.h"
#include "fuzz/again.h"

// The first byte chooses: stapled collateral, the host's certificate table, a list of certificates.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  using namespace cstl::snp;
  if (size == 0) return 0;
  Bytes body(data + 1, size - 1);
  std::vector<uint8_t> space(4 * body.size() + 64);
  switch (data[0] % 3) {
    case 0:
      if (auto collateral = Collateral::decode(body); collateral.ok()) same(body, collateral->encode(space));
      break;
    case 1:
      if (auto table = CertificateTable::decode(body); table.ok()) {
        for (Bytes field : {table->vcek, table->vlek, table->ask, table->ark}) {
          if (!field.empty() && (field.begin() < body.begin() || field.end() > body.end())) abort();
        }
        (void)table->evidence_items(Signer::vcek, space);  // whether it fits is the input's to say
      }
      break;
    default:
      if (auto list = certificate_list(body); list.ok() && list->size() > kMaxCertificates) abort();
  }
  return 0;
}
