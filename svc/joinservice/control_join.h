// Takes and releases the Lease of control_lock.h: one control plane joins at a time, over all joinservices.
// While this process holds it for a node, it looks every few seconds whether that node has joined, and then frees it; if
// the process ends first, the next to ask finds out, or the time runs out. Never logs.
#pragma once

#include "svc/joinservice/control_lock.h"
#include "svc/kubernetes/client.h"

namespace cstl {

class ControlPlaneLock {
 public:
  // All are borrowed and outlive the lock.
  ControlPlaneLock(kubernetes::Client& client, Loop& loop) : client_(client), loop_(loop) {}
  ~ControlPlaneLock() { loop_.cancel(timer_); }

  // For `node`, again as often as it asks. Errors: join_busy (`busy` says who joins, and how long at most), and those of
  // the client.
  void take(const std::string& node, std::function<void(Status, const std::string& busy)> done);
  // Frees it, if `node` holds it: its join failed before it got a ticket.
  void release(const std::string& node);

 private:
  using Done = std::function<void(Status, const std::string&)>;
  struct Attempt {
    std::string node;
    std::string before;   // control_lock.h
    int tries = 0;
    Done done;
  };
  void look(std::shared_ptr<Attempt> attempt);
  void write(std::shared_ptr<Attempt> attempt, const std::string& version);
  void ask_holder(std::shared_ptr<Attempt> attempt, const LeaseState& state, const std::string& version);
  void watch_over(const std::string& node);
  void free_if_joined();
  void free(const std::string& version);

  kubernetes::Client& client_;
  Loop& loop_;
  std::string held_;        // on behalf of this node; empty: not held by us
  int64_t held_until_ = 0;  // monotonic_ms()
  Loop::Id timer_ = 0;
};

}  // namespace cstl
