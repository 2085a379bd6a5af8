// Frames: u32 length of the rest (big endian), u8 protocol version, u8 message type, body. docs/wire/frame.md.
// The header is checked against the type's own maximum before a byte of the body is read.
#pragma once

#include "crypto/base/secret.h"

namespace cstl {

constexpr uint8_t kProtocolVersion = 1;
constexpr size_t kFrameHeader = 6;

// Every message type of the protocol, once; never renumber. 1–15 belong to attest/atls, the rest to svc/wire.
enum class FrameType : uint8_t {
  hello = 1, evidence = 2, challenge = 3, activation = 4, verdict = 5,
  init_request = 16, init_progress = 17, init_response = 18,
  join_request = 20, join_ticket = 21, rejoin_request = 22, rejoin_ticket = 23,
  recover_query = 26, recover_info = 27, recover_request = 28, recover_done = 29,
  verify_request = 32, verify_response = 33,
  key_request = 40, key_response = 41,
  attest_query = 42, attest_info = 43, attest_request = 44, attest_response = 45,
  activate_request = 46, activate_response = 47,
  rekey_request = 48, rekey_done = 49, power_request = 50, start_request = 51, start_done = 52,
  error = 255,
};

// Largest body of each type in bytes; nullopt for numbers that are no type.
std::optional<size_t> max_body(uint8_t type);

struct FrameHeader {
  FrameType type;
  size_t body;  // bytes that follow
  // From exactly kFrameHeader bytes. Errors: frame_version, frame_type, frame_size.
  static Result<FrameHeader> decode(Bytes header);
};

// A received message. The body may carry secrets and is wiped.
struct Frame {
  FrameType type;
  SecretBuffer body;
};

// Header and body into one buffer. Errors: frame_size.
Result<SecretBuffer> encode_frame(FrameType type, Bytes body);

// Blocking transport over a local socket or pipe (key service, monitor): one frame, within `timeout_ms`.
// Errors: timeout, closed, io, frame_*. Receiving an error frame gives peer_error with the peer's code as foreign number.
Status send_frame(int fd, FrameType type, Bytes body, int timeout_ms);
Result<Frame> receive_frame(int fd, int timeout_ms);

}  // namespace cstl
