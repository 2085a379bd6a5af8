#include "attest/attester.h"

namespace cstl {

Result<Digest32> Binding::digest() const {
  const std::array<uint8_t, 1> number{static_cast<uint8_t>(side)};
  return sha256({Bytes("cstl-atls-1"), number, session});
}

Result<EvidenceList> LocalAttester::quote(const std::vector<Binding>& bindings) {
  std::vector<Digest32> digests(bindings.size());
  for (size_t i = 0; i < bindings.size(); ++i) {
    TRY_LET(digests[i], bindings[i].digest());
  }
  return sign(digests);
}

}  // namespace cstl
