#include "attest/atls/stream.h"

#include <poll.h>
#include <sys/socket.h>

namespace cstl {

Result<bool> FrameStream::handshake() {
  TRY_LET(handshake_want_, tls_->handshake());
  return handshake_want_ == TlsWant::nothing;
}

Status FrameStream::queue(FrameType type, Bytes body) {
  TRY_LET(SecretBuffer frame, encode_frame(type, body));
  if (out_.size() >= kMaxQueuedFrames || frame.size() > kMaxQueuedBytes - out_bytes_) {
    return fail(Code::busy, "atls.queue");
  }
  out_bytes_ += frame.size();
  out_.push_back(std::move(frame));
  return success();
}

Status FrameStream::write() {
  while (!out_.empty()) {
    TRY_LET(TlsSession::Transfer done, tls_->write(out_.front().declassify().skip(sent_)));
    if (done.want != TlsWant::nothing) {
      write_want_ = done.want;
      return success();
    }
    sent_ += done.bytes;
    if (sent_ < out_.front().size()) continue;
    out_bytes_ -= out_.front().size();
    out_.pop_front();
    sent_ = 0;
  }
  return success();
}

Result<std::optional<Frame>> FrameStream::read(const std::function<Status(FrameType)>& permit) {
  for (;;) {
    if (!body_ && header_have_ == kFrameHeader) {
      TRY_LET(FrameHeader header, FrameHeader::decode(header_));
      TRY(permit(header.type));
      body_.emplace(Frame{header.type, SecretBuffer(header.body)});
      body_have_ = 0;
    }
    if (body_ && body_have_ == body_->body.size()) {
      std::optional<Frame> frame = std::move(body_);
      body_.reset();
      header_have_ = 0;
      return frame;
    }
    MutBytes space = body_ ? body_->body.space() : MutBytes(header_);
    size_t& have = body_ ? body_have_ : header_have_;
    TRY_LET(TlsSession::Transfer got, tls_->read(MutBytes(space.data() + have, space.size() - have)));
    if (got.want != TlsWant::nothing) {
      read_want_ = got.want;
      return std::optional<Frame>();
    }
    have += got.bytes;
  }
}

short FrameStream::events(bool handshaking, bool reading) const {
  auto of = [](TlsWant want) -> int { return want == TlsWant::read ? POLLIN : want == TlsWant::write ? POLLOUT : 0; };
  if (handshaking) return static_cast<short>(of(handshake_want_));
  return static_cast<short>((reading ? of(read_want_) : 0) | (out_.empty() ? 0 : of(write_want_)));
}

void FrameStream::last_words(FrameType type, Bytes body) {
  while (out_.size() > (sent_ > 0 ? 1u : 0u)) {
    out_bytes_ -= out_.back().size();
    out_.pop_back();
  }
  // Best effort: the session has failed already, and its own error is what is reported.
  if (queue(type, body).ok()) (void)write();
  close();
}

void FrameStream::close() {
  tls_->close();
  // Input that nobody read would make close(2) send a reset, which may overtake the last frame.
  shutdown(tls_->fd(), SHUT_WR);
  std::array<uint8_t, 4096> scrap;
  for (int i = 0; i < 128 && recv(tls_->fd(), scrap.data(), scrap.size(), MSG_DONTWAIT) > 0; ++i) {
  }
}

}  // namespace cstl
