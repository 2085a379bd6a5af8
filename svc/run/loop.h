// One thread, one poll(2): everything that a program waits for takes part in one Loop.
//
// A Participant (a Server, a LocalServer, a client session of the program) names its descriptors and deadlines before
// each poll and works on what became ready after it. watch(), every() and after() cover single descriptors and timers.
// Handlers run on the caller's stack, must not block for long, and may add, cancel, remove or stop at any time.
// Not thread-safe. Never logs, never owns a descriptor.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <vector>

#include "crypto/base/result.h"

namespace cstl {

constexpr int64_t kNoDeadline = INT64_MAX;

// What one poll(2) waits for.
class PollSet {
 public:
  // The position at which ready() answers afterwards. `events` may be 0: errors and hang-ups are reported anyway.
  size_t add(int fd, short events);
  // Poll returns at `deadline` (monotonic_ms()) at the latest; a time in the past means at once.
  void wake_by(int64_t deadline) { deadline_ = deadline < deadline_ ? deadline : deadline_; }
  // revents of that position; 0 when nothing happened.
  short ready(size_t position) const { return position < fds_.size() ? fds_[position].revents : short{0}; }

 private:
  friend class Loop;
  std::vector<pollfd> fds_;
  int64_t deadline_ = kNoDeadline;
};

class Participant {
 public:
  virtual ~Participant() = default;
  virtual void prepare(PollSet& set) = 0;
  // After every poll, also when nothing of this participant became ready.
  virtual void dispatch(const PollSet& set) = 0;
};

class Loop {
 public:
  using Id = uint64_t;

  // `participant` is borrowed: remove() it before it ends.
  void add(Participant& participant);
  void remove(Participant& participant);

  // Calls `ready` with poll's revents whenever one of `events` (or an error) is there.
  Id watch(int fd, short events, std::function<void(short)> ready);
  // Every `interval_ms` from now on; late calls are not made up for.
  Id every(int interval_ms, std::function<void()> tick);
  // Once.
  Id after(int delay_ms, std::function<void()> run);
  void cancel(Id id);   // unknown ids are fine

  // One poll of at most `max_wait_ms` (negative: as long as it takes) and what follows from it. Errors: io.
  Status poll_once(int max_wait_ms);
  // poll_once() until stop(). Errors: io.
  Status run();
  void stop() { stopped_ = true; }

 private:
  struct Entry {
    Id id;
    int fd = -1;                    // -1: a timer
    short events = 0;
    int64_t due = kNoDeadline;
    int interval_ms = 0;            // 0: once
    size_t position = 0;
    bool cancelled = false;
    std::function<void(short)> call;
  };
  Id insert(Entry entry);
  void call_entries(const PollSet& set);

  std::vector<Participant*> participants_;      // nullptr: removed, swept after the turn
  std::vector<std::unique_ptr<Entry>> entries_;
  Id next_ = 1;
  bool stopped_ = false;
};

}  // namespace cstl
