// What ties a TPM's attestation key, and this session, to the platform around the TPM. Pure functions; no I/O.
#pragma once

#include <vector>

#include "attest/evidence.h"
#include "attest/tpm/structures.h"
#include "crypto/hash.h"
#include "crypto/x509.h"

namespace cstl {

// REPORT_DATA wherever the guest chooses it: SHA-512("cstl-tee-1" ‖ qualifier ‖ registers ‖ SHA-256(ak_public)).
// `registers`: kRegisters bytes, or empty: zeros. `ak_public`: TPMT_PUBLIC as sent, or empty: zeros in place of its hash.
Result<Digest64> tee_report_data(const Digest32& qualifier, Bytes registers, Bytes ak_public);
// The same, of an evidence.
Result<Digest64> tee_report_data(const Digest32& qualifier, const Evidence& evidence);

// Certificates as evidence carries them: each u16 length and DER; 1..kMaxChain of them. Errors: `refusal`.
Result<std::vector<Bytes>> split_certificates(Bytes list, Code refusal);

// The AK is the key that the certificate certifies. Errors: ak_mismatch, bad_certificate.
Status check_ak_certificate(Bytes certificate, const tpm::Public& ak);

}  // namespace cstl
