// PEM (RFC 7468) of certificates and keys as other programs write them: checked here, used by TLS libraries that take
// PEM. Every text ends with a NUL byte, which counts: mbedTLS tells PEM from DER by it.
#pragma once

#include "crypto/base/secret.h"

namespace cstl {

// One or more certificates, none of them malformed. Errors: bad_certificate.
Status check_pem_certificates(Bytes pem);
// What is between BEGIN and END of the first block with this label ("X509 CRL", "PUBLIC KEY"). Public data only: the text is
// not wiped. No NUL byte is wanted here. Errors: bad_value.
Result<std::vector<uint8_t>> pem_block(Bytes text, std::string_view label);
// The key belongs to the first certificate. Touches a secret. Errors: bad_certificate, bad_key.
Status check_pem_pair(Bytes certificate, Bytes key);

}  // namespace cstl
