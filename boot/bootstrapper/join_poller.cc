#include "boot/bootstrapper/join_poller.h"

#include <algorithm>
#include <ctime>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

constexpr int kLongestPauseMs = 15000;

}  // namespace

void JoinPoller::stop() {
  stopped_ = true;
  attempt_.reset();
}

void JoinPoller::prepare(PollSet& set) {
  if (stopped_ || config_.metadata->join.empty()) return;
  if (!attempt_) return set.wake_by(not_before_);
  set.add(attempt_->fd(), attempt_->events());
  set.wake_by(attempt_->waits_for_quote() ? 0 : attempt_->deadline());
}

void JoinPoller::dispatch(const PollSet&) {
  if (stopped_ || config_.metadata->join.empty()) return;
  if (!attempt_) {
    if (monotonic_ms() < not_before_) return;
    config_.party.now = time(nullptr);
    auto attempt = JoinAttempt::join(config_.metadata->join[next_], config_.party, config_.disk, config_.metadata->role,
                                     config_.metadata->name, config_.offer);
    if (!attempt) return failed(attempt.error(), "");
    attempt_ = std::move(*attempt);
  }
  advance();
}

void JoinPoller::advance() {
  auto done = attempt_->step();
  if (done && !*done && attempt_->waits_for_quote()) {
    config_.party.attester->flush();
    done = attempt_->step();
  }
  if (!done) return failed(done.error(), attempt_->explanation());
  if (!*done) return;
  auto joined = attempt_->take_join();
  if (!joined) return failed(joined.error(), "the ticket is malformed");
  stop();
  config_.on_ticket(config_.metadata->join[next_], std::move(*joined));
}

void JoinPoller::failed(const Error& error, const std::string& explanation) {
  attempt_.reset();
  config_.on_failed(config_.metadata->join[next_], error, explanation);
  next_ = (next_ + 1) % config_.metadata->join.size();
  if (next_ != 0) return;
  not_before_ = monotonic_ms() + pause_ms_;
  pause_ms_ = std::min(2 * pause_ms_, kLongestPauseMs);
}

}  // namespace cstl
