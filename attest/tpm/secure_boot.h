// The part of a boot state (attest/tpm/boot_state.h) that tells of Secure Boot: register 7 of a TPM, RTMR0 of TDX.
#pragma once

#include "attest/tpm/boot_state.h"

namespace cstl::tpm {

// The digest of the separator (PFP 1.06, 3.3.2.2): of 00000000h, or of ffffffffh or 00000001h when firmware failed. In
// any bank but SHA-1.
bool is_separator(Bytes digest);

// Fills secure_boot, its keys, authorities and sbat_level. `on` only if every event of the register before its first
// separator is understood and measured, SecureBoot is 1, PK, KEK and db hold something, an authority let an image
// start, no debugger or audit mode was reported, and nothing comes twice.
void read_secure_boot(const EventLog& log, BootState& state);

}  // namespace cstl::tpm
