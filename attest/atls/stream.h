// Frames over a non-blocking TLS session: the transport under attest/atls/session.h, knowing nothing of states.
// Bodies are wiped after use; what waits to be sent is bounded.
#pragma once

#include <deque>
#include <functional>

#include "attest/atls/frame.h"
#include "crypto/tls.h"

namespace cstl {

constexpr size_t kMaxQueuedFrames = 64;
constexpr size_t kMaxQueuedBytes = 1024 * 1024;

class FrameStream {
 public:
  explicit FrameStream(std::unique_ptr<TlsSession> tls) : tls_(std::move(tls)) {}

  const TlsSession& tls() const { return *tls_; }
  // True when TLS's Finished messages have passed. Errors: those of TlsSession.
  Result<bool> handshake();
  // Errors: frame_size, frame_type, busy (the queue is full).
  Status queue(FrameType type, Bytes body);
  // Sends what is queued until it would block.
  Status write();
  // Reads until one frame is complete (nullopt: it would block). `permit` judges the type after the header has passed
  // its own checks, before a byte of the body is read. Errors: frame_*, those of `permit` and of TlsSession.
  Result<std::optional<Frame>> read(const std::function<Status(FrameType)>& permit);
  bool drained() const { return out_.empty(); }
  // poll(2) events; `reading`: whether a frame may be taken in now.
  short events(bool handshaking, bool reading) const;

  // Best effort, without waiting: this frame in place of all that is queued (a frame half sent is finished first), then
  // close(). `type` at most once per stream.
  void last_words(FrameType type, Bytes body);
  void close();

 private:
  std::unique_ptr<TlsSession> tls_;
  TlsWant handshake_want_ = TlsWant::nothing, read_want_ = TlsWant::read, write_want_ = TlsWant::write;
  std::deque<SecretBuffer> out_;
  size_t out_bytes_ = 0;   // of all frames in out_
  size_t sent_ = 0;        // of the first frame in out_
  std::array<uint8_t, kFrameHeader> header_{};
  size_t header_have_ = 0;
  std::optional<Frame> body_;
  size_t body_have_ = 0;
};

}  // namespace cstl
