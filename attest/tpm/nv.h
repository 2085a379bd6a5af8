// Handles and NV contents of a TPM, through ESYS; for attest/tpm/issue.cc.
#pragma once

#include <vector>

#include "attest/tpm/device_state.h"

namespace cstl::tpm {

// The NV indices or persistent objects that exist in [first, end), ascending. Errors: tpm_failed.
Result<std::vector<TPM2_HANDLE>> handles_from(ESYS_CONTEXT* esys, TPM2_HANDLE first, TPM2_HANDLE end);
Result<bool> has_handle(ESYS_CONTEXT* esys, TPM2_HANDLE handle);

// All of an NV index that is readable with its own or the owner's empty authorisation. Errors: tpm_failed, too_long.
Result<std::vector<uint8_t>> nv_read(ESYS_CONTEXT* esys, TPM2_HANDLE index, size_t max);
// The same of an index that the caller has open: ESYS has one note per index, which nv_read() would close.
Result<std::vector<uint8_t>> nv_read_open(ESYS_CONTEXT* esys, ESYS_TR nv, size_t max);

}  // namespace cstl::tpm
