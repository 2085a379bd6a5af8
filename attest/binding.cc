#include "attest/attester.h"

namespace cstl {

Result<Digest32> Binding::digest() const {
  const std::array<uint8_t, 1> number{static_cast<uint8_t>(side)};
  return sha256({Bytes("cstl-atls-1"), number, session});
}

}  // namespace cstl
