// bootstrapper → cstl-init, on an inherited socket pair: the two things that only PID 1 may do. docs/wire/monitor.md.
#pragma once

#include "crypto/keys.h"
#include "crypto/sign.h"

namespace cstl {

// Replaces the random passphrase of the fresh state disk by the derived key and marks the disk as belonging to the owner.
// Answered by rekey_done (empty) or an error frame. Permitted once per boot, only for a fresh disk.
struct RekeyRequest {                 // carries a secret
  Key32 disk_key;
  P256Point owner_key{};
  static Result<RekeyRequest> decode(Bytes body);
  Result<SecretBuffer> encode() const;
};

enum class PowerAction : uint8_t { off = 1, reboot = 2 };
struct PowerRequest {
  PowerAction action = PowerAction::reboot;
  static Result<PowerRequest> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

}  // namespace cstl
