// The runtime data of an Azure confidential VM: JSON whose SHA-256 the paravisor puts into REPORT_DATA[0:32], so that the
// TEE's report vouches for the virtual TPM's attestation key: {"keys": [{"kid": "HCLAkPub", "kty": "RSA", "n": "<base64url>",
// "e": "AQAB", …}, …], "vm-configuration": {…}, "user-data": "…"}. Members that are not named here are Azure's to add.
// Bounded; allocates.
#pragma once

#include <string>

#include "attest/tpm/structures.h"

namespace cstl::azure {

struct RuntimeData {
  std::vector<uint8_t> modulus;  // of the AK: RSA, big endian without leading zeros
  uint32_t exponent = 0;
  std::string vm_id;             // vm-configuration.vmUniqueId: printable ASCII, at most 64 bytes; may be empty
  bool secure_boot = false;      // vm-configuration.secure-boot, as the paravisor says

  // Errors: runtime_data_malformed (also: no key HCLAkPub, or two).
  static Result<RuntimeData> parse(Bytes json);
};

// The AK of the quote is the one that the runtime data names. Errors: ak_mismatch.
Status check_ak(const RuntimeData& data, const tpm::Public& ak);

}  // namespace cstl::azure
