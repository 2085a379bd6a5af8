#include <algorithm>
#include <cerrno>
#include <climits>
#include <poll.h>

#include "attest/atls/session.h"

namespace cstl {

namespace {

// Sleeps until the session can go on; the deadline itself is enforced by step().
Status wait(Session& session, QuoteBatch* batch) {
  if (batch != nullptr && session.waits_for_quote() && batch->pending()) {
    batch->flush();
    return success();
  }
  int64_t until = session.deadline();
  pollfd fds[2] = {{session.fd(), session.events(), 0}, {-1, 0, 0}};
  const PendingAnswer* running = batch != nullptr && session.waits_for_quote() ? batch->running() : nullptr;
  if (running != nullptr) {
    fds[1] = pollfd{running->fd(), running->events(), 0};
    until = std::min(until, running->deadline());
  }
  int n = poll(fds, 2, static_cast<int>(std::clamp<int64_t>(until - monotonic_ms(), 0, INT_MAX)));
  if (n < 0 && errno != EINTR) return fail_errno("atls.poll");
  if (running != nullptr) batch->advance();
  return success();
}

}  // namespace

Status drive_to_open(Session& session, QuoteBatch* batch) {
  for (;;) {
    TRY(session.step());
    if (session.open()) return success();
    if (session.state() == Session::State::closed) return fail(Code::closed, "atls.open");
    TRY(wait(session, batch));
  }
}

Result<Frame> drive_to_any_frame(Session& session) {
  for (;;) {
    TRY_LET(std::optional<Frame> frame, session.receive());
    if (frame) return std::move(*frame);
    TRY(session.step());
    TRY_LET(frame, session.receive());
    if (frame) return std::move(*frame);
    TRY(wait(session, nullptr));
  }
}

Result<Frame> drive_to_frame(Session& session, FrameType expected) {
  TRY_LET(Frame frame, drive_to_any_frame(session));
  if (frame.type != expected) return fail(Code::frame_type, "atls.frame");
  return frame;
}

Status drive_to_drained(Session& session) {
  for (;;) {
    TRY(session.step());
    if (session.drained()) return success();
    TRY(wait(session, nullptr));
  }
}

}  // namespace cstl
