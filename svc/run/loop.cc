#include "svc/run/loop.h"

#include <algorithm>
#include <cerrno>

#include "crypto/base/fd.h"

namespace cstl {

size_t PollSet::add(int fd, short events) {
  fds_.push_back(pollfd{fd, events, 0});
  return fds_.size() - 1;
}

void Loop::add(Participant& participant) { participants_.push_back(&participant); }

void Loop::remove(Participant& participant) {
  std::replace(participants_.begin(), participants_.end(), &participant, static_cast<Participant*>(nullptr));
}

Loop::Id Loop::insert(Entry entry) {
  entry.id = next_++;
  entries_.push_back(std::make_unique<Entry>(std::move(entry)));
  return entries_.back()->id;
}

Loop::Id Loop::watch(int fd, short events, std::function<void(short)> ready) {
  Entry entry{};
  entry.fd = fd;
  entry.events = events;
  entry.due = kNoDeadline;
  entry.call = std::move(ready);
  return insert(std::move(entry));
}

Loop::Id Loop::every(int interval_ms, std::function<void()> tick) {
  Entry entry{};
  entry.fd = -1;
  entry.interval_ms = std::max(interval_ms, 1);
  entry.due = monotonic_ms() + entry.interval_ms;
  entry.call = [tick = std::move(tick)](short) { tick(); };
  return insert(std::move(entry));
}

Loop::Id Loop::after(int delay_ms, std::function<void()> run) {
  Entry entry{};
  entry.fd = -1;
  entry.due = monotonic_ms() + std::max(delay_ms, 0);
  entry.call = [run = std::move(run)](short) { run(); };
  return insert(std::move(entry));
}

void Loop::cancel(Id id) {
  for (auto& entry : entries_) {
    if (entry->id == id) entry->cancelled = true;
  }
}

void Loop::call_entries(const PollSet& set) {
  int64_t now = monotonic_ms();
  size_t count = entries_.size();  // what handlers add has its first turn after the next poll
  for (size_t i = 0; i < count; ++i) {
    Entry* entry = entries_[i].get();  // stays in place: entries are only swept below
    if (entry->cancelled) continue;
    if (entry->fd >= 0) {
      if (short revents = set.ready(entry->position); revents != 0) entry->call(revents);
    } else if (entry->due <= now) {
      if (entry->interval_ms > 0) {
        entry->due = now + entry->interval_ms;
      } else {
        entry->cancelled = true;
      }
      entry->call(0);
    }
  }
}

Status Loop::poll_once(int max_wait_ms) {
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(), [](const auto& e) { return e->cancelled; }),
                 entries_.end());
  participants_.erase(std::remove(participants_.begin(), participants_.end(), nullptr), participants_.end());

  PollSet set;
  for (auto& entry : entries_) {
    if (entry->fd >= 0) entry->position = set.add(entry->fd, entry->events);
    set.wake_by(entry->due);
  }
  size_t count = participants_.size();
  for (size_t i = 0; i < count; ++i) {
    if (participants_[i] != nullptr) participants_[i]->prepare(set);
  }

  int64_t wait = set.deadline_ == kNoDeadline ? -1 : std::clamp<int64_t>(set.deadline_ - monotonic_ms(), 0, INT32_MAX);
  if (max_wait_ms >= 0) wait = wait < 0 ? max_wait_ms : std::min<int64_t>(wait, max_wait_ms);
  if (poll(set.fds_.data(), set.fds_.size(), static_cast<int>(wait)) < 0) {
    if (errno != EINTR) return fail_errno("loop.poll");
    for (pollfd& fd : set.fds_) fd.revents = 0;
  }

  call_entries(set);
  for (size_t i = 0; i < count; ++i) {
    if (participants_[i] != nullptr) participants_[i]->dispatch(set);
  }
  return success();
}

Status Loop::run() {
  stopped_ = false;
  while (!stopped_) TRY(poll_once(-1));
  return success();
}

}  // namespace cstl
