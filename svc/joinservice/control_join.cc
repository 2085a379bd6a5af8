#include "svc/joinservice/control_join.h"

#include <ctime>

#include "crypto/base/fd.h"
#include "svc/joinservice/node_object.h"

namespace cstl {

namespace {
using kubernetes::Json;
constexpr int kTries = 4;
constexpr int kLookMs = 5000;

std::string node_path(const std::string& name) { return "/api/v1/nodes/" + kubernetes::path_segment(name); }
int64_t unix_seconds() { return time(nullptr); }
}  // namespace

void ControlPlaneLock::take(const std::string& node, Done done) {
  auto attempt = std::make_shared<Attempt>(Attempt{node, "", 0, std::move(done)});
  client_.get(node_path(node), [this, attempt](Result<Json> answer) {
    if (!answer.ok() && answer.code() != Code::api_not_found) return attempt->done(answer.error(), "");
    if (answer.ok()) attempt->before = joined_mark(*answer);
    look(attempt);
  });
}

void ControlPlaneLock::look(std::shared_ptr<Attempt> attempt) {
  if (attempt->tries++ == kTries) return attempt->done(fail(Code::api_conflict, "lock.tries"), "");
  client_.get(kLeasePath, [this, attempt](Result<Json> answer) {
    if (answer.code() == Code::api_not_found) return write(attempt, "");
    if (!answer.ok()) return attempt->done(answer.error(), "");
    LeaseState state = lease_state(*answer, unix_seconds());
    const std::string version = object_meta(*answer, "resourceVersion");
    if (state.seconds_left > 0 && state.holder != attempt->node) return ask_holder(attempt, state, version);
    write(attempt, version);
  });
}

void ControlPlaneLock::ask_holder(std::shared_ptr<Attempt> attempt, const LeaseState& state, const std::string& version) {
  client_.get(node_path(state.holder), [this, attempt, state, version](Result<Json> answer) {
    if (answer.ok() && node_has_joined(*answer, state)) return write(attempt, version);
    if (!answer.ok() && answer.code() != Code::api_not_found) return attempt->done(answer.error(), "");
    attempt->done(fail(Code::join_busy, "lock.held"), "the control plane " + state.holder + " is joining; try again in " +
                                                          std::to_string(state.seconds_left) + " s, or when it has joined");
  });
}

void ControlPlaneLock::write(std::shared_ptr<Attempt> attempt, const std::string& version) {
  Json lease = lease_object(attempt->node, attempt->before, unix_seconds(), version);
  auto answered = [this, attempt](Result<Json> answer) {
    if (answer.code() == Code::api_conflict || answer.code() == Code::api_not_found) return look(attempt);
    if (!answer.ok()) return attempt->done(answer.error(), "");
    watch_over(attempt->node);
    attempt->done(success(), "");
  };
  if (version.empty()) {
    client_.create_object(kLeasesPath, lease, answered);
  } else {
    client_.replace(kLeasePath, lease, answered);
  }
}

void ControlPlaneLock::watch_over(const std::string& node) {
  held_ = node;
  held_until_ = monotonic_ms() + kLeaseSeconds * 1000;
  loop_.cancel(timer_);
  timer_ = loop_.every(kLookMs, [this] { free_if_joined(); });
}

void ControlPlaneLock::free_if_joined() {
  if (held_.empty() || monotonic_ms() >= held_until_) {
    held_.clear();
    loop_.cancel(timer_);
    return;
  }
  const std::string node = held_;
  client_.get(kLeasePath, [this, node](Result<Json> lease) {
    if (!lease.ok() || node != held_) return;  // looked at again soon
    LeaseState state = lease_state(*lease, unix_seconds());
    const std::string version = object_meta(*lease, "resourceVersion");
    if (state.holder != node) {
      held_.clear();
      return;
    }
    client_.get(node_path(node), [this, node, state, version](Result<Json> answer) {
      if (answer.ok() && node == held_ && node_has_joined(*answer, state)) free(version);
    });
  });
}

void ControlPlaneLock::free(const std::string& version) {
  held_.clear();
  client_.replace(kLeasePath, free_lease(version), [](Result<Json>) {});  // else it runs out
}

void ControlPlaneLock::release(const std::string& node) {
  client_.get(kLeasePath, [this, node](Result<Json> lease) {
    if (!lease.ok() || lease_state(*lease, unix_seconds()).holder != node) return;
    free(object_meta(*lease, "resourceVersion"));
  });
}

}  // namespace cstl
