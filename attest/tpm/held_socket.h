// A TCTI (TCG TSS 2.0 TCTI specification 1.0) over one connection to a TPM's command socket, held from open to close.
// tpm2-tss's own for swtpm connects anew for each command, which a confined process cannot. For tests and for machines
// whose TPM is a socket; only attest/tpm/device.cc uses it.
#pragma once

#include <tss2/tss2_tcti.h>

#include <string>

namespace cstl::tpm {

// As every TCTI's init: with `context` null only *size is set. `path`: absolute, of a unix stream socket that takes TPM
// commands and gives TPM responses, nothing else. Errors: TSS2_TCTI_RC_BAD_VALUE, TSS2_TCTI_RC_IO_ERROR.
TSS2_RC held_socket_init(TSS2_TCTI_CONTEXT* context, size_t* size, const char* path);

}  // namespace cstl::tpm
