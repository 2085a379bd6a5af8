// bootstrapper → cstl-init, on an inherited socket pair: the three things that only PID 1 may do. docs/wire/monitor.md.
#pragma once

#include <string>
#include <vector>

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

constexpr size_t kMaxProgramName = 32;
constexpr size_t kMaxArguments = 64;
constexpr size_t kMaxArgumentBytes = 32 * 1024;  // of all arguments together, with the zero bytes between them

// Runs a program as a child of PID 1, which keeps it running. A name that runs already is ended and started again with
// the new arguments. Answered by start_done (empty) once the program was executed, or by an error frame, after which
// nothing runs under that name.
struct StartRequest {
  std::string name;                    // [a-z0-9]([a-z0-9-]*[a-z0-9])?: of its log, its control group, its messages
  std::vector<std::string> arguments;  // 1..kMaxArguments; the first is the program's absolute path; no zero bytes
  static Result<StartRequest> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

}  // namespace cstl
