// What can make evidence on this machine. Today the TPM (attest/tpm/issue.h); TEEs follow with the same interface.
#pragma once

#include <vector>

#include "attest/variant.h"
#include "crypto/hash.h"

namespace cstl {

class Attester {
 public:
  virtual ~Attester() = default;
  virtual Variant variant() const = 0;
  // One hardware quote for all bindings (1..65536); one encoded Evidence (attest/evidence.h) per binding, in order.
  virtual Result<std::vector<std::vector<uint8_t>>> quote(const std::vector<Digest32>& bindings) = 0;
  // Answers a credential challenge (attest/tpm/credential.h). Errors: activation_failed, unsupported.
  virtual Result<std::vector<uint8_t>> activate(Bytes credential) = 0;
};

}  // namespace cstl
