// The bootstrapper's side of the monitor socket to cstl-init (svc/wire/monitor.h): the three things that only it may do.
// Blocking; one call at a time. Nothing is retained; the encoded key is wiped.
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
  // Runs a program as a child of PID 1 from now on, or again with other arguments (StartRequest). Success says that it
  // was executed. Errors: bad_value, timeout, closed, io, frame_*, peer_error (foreign: the code, e.g. unsupported
  // without a verity root, not_found without the program).
  Status start(std::string name, std::vector<std::string> arguments);

 private:
  Fd socket_;
};

}  // namespace cstl
