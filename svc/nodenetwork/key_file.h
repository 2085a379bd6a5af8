// The node's WireGuard private key: a file that the bootstrapper writes after attestation, one line of 44 base64
// characters as wg(8) writes them. Secret: read into wiped memory only, decoded without branches or tables that depend
// on it.
#pragma once

#include "crypto/base/secret.h"
#include "svc/nodenetwork/wireguard.h"

namespace cstl {

// With or without a final newline. Errors: bad_key.
Result<WireguardSecret> decode_private_key(Bytes text);
// Errors: by errno, bad_key.
Result<WireguardSecret> read_private_key(const char* path);

}  // namespace cstl
