// A machine's boot state (attest/tpm/boot_state.h) in a verdict: as facts, and as the claim of a set that asks for
// Secure Boot. Only for logs that replayed to verified registers.
#pragma once

#include <vector>

#include "attest/reference/claim.h"
#include "attest/tpm/boot_state.h"

namespace cstl {

constexpr size_t kMaxBootFacts = 96;

// "boot.firmware", "boot.secure_boot", "boot.db.0", "boot.authority.0", "boot.loader", "boot.image.0",
// "boot.command_line", "boot.disk", … A name that ends in ".claimed" is the log writer's word.
void add_boot_facts(const tpm::BootState& boot, std::vector<Fact>& facts);

// Passed only if Secure Boot was on. `boot`: nullptr when there is no log that replays.
Claim secure_boot_claim(const tpm::BootState* boot);

}  // namespace cstl
