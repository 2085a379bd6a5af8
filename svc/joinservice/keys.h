// Keys from this node's keyservice (svc/wire/key.h), one connection per call.
#pragma once

#include <string>

#include "svc/wire/key.h"

namespace cstl {

class Keyservice {
 public:
  explicit Keyservice(std::string socket, int timeout_ms = 2000) : socket_(std::move(socket)), timeout_ms_(timeout_ms) {}
  // Blocks up to the timeout. Secret. Errors: not_found, denied (no keyservice), timeout, closed, frame_*, peer_error with
  // the keyservice's code as foreign number (peer_credentials, bad_key_class).
  Result<Key32> key(KeyClass key_class, std::string_view id) const;

 private:
  std::string socket_;
  int timeout_ms_;
};

}  // namespace cstl
