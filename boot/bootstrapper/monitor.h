// The bootstrapper's side of the monitor socket to cstl-init (svc/wire/monitor.h): the two things that only PID 1 may do.
// Blocking. Nothing is retained; the encoded key is wiped.
#pragma once

#include "crypto/base/fd.h"
#include "svc/wire/monitor.h"

namespace cstl {

class Monitor {
 public:
  // Owns `socket`, or holds none: every call then gives unsupported.
  explicit Monitor(Fd socket) : socket_(std::move(socket)) {}

  // Replaces the state disk's passphrase and marks it as sealed; success is the point after which the machine belongs to
  // its cluster. Key derivation (argon2id) takes seconds. Errors: timeout, closed, io, frame_*, peer_error (foreign: code).
  Status rekey(const Key32& disk_key, const P256Point& owner_key);
  // Asks for power off or reboot; not answered. Errors: timeout, closed, io.
  Status power(PowerAction action);

 private:
  Fd socket_;
};

}  // namespace cstl
