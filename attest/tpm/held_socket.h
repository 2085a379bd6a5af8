// A TCTI (TCG TSS 2.0 TCTI specification 1.0) over the command socket of a software TPM, for tests and for machines whose
// TPM is a socket; only attest/tpm/device.cc uses it. It stands in for tpm2-tss's own, which always connects anew for each
// command (a confined process cannot) and brings host names and scanf(3).
#pragma once

#include <tss2/tss2_tcti.h>

#include <string>

namespace cstl::tpm {

// As every TCTI's init: with `context` null only *size is set. `path`: absolute, of a unix stream socket that takes TPM
// commands and gives TPM responses, nothing else. Errors: TSS2_TCTI_RC_BAD_VALUE, TSS2_TCTI_RC_IO_ERROR.
// One connection, held from open to close.
TSS2_RC held_socket_init(TSS2_TCTI_CONTEXT* context, size_t* size, const char* path);
// A connection per command, so that others can use the TPM in between (swtpm serves one at a time).
TSS2_RC shared_socket_init(TSS2_TCTI_CONTEXT* context, size_t* size, const char* path);

}  // namespace cstl::tpm
