#include "initrd/unlock.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/log.h"

namespace cstl {
namespace {

// Forks a child that runs `body` with its end of a socket pair. Returns pid and our end.
template <typename Body>
Status start_child(const char* name, Body body, pid_t* pid, Fd* ours) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return fail_errno("unlock.socketpair");
  Fd mine(pair[0]), theirs(pair[1]);
  *pid = fork();
  if (*pid < 0) return fail_errno("unlock.fork");
  if (*pid == 0) {
    // Nothing else of PID 1's, least of all the disk.
    if (dup2(theirs.release(), 3) < 0 || close_range(4, ~0u, 0) != 0) _exit(126);
    log_as(name);
    const Status status = body(3);
    if (!status.ok()) log_error("unlock.failed", status.error());
    _exit(status.ok() ? 0 : 1);
  }
  *ours = std::move(mine);
  return success();
}

}  // namespace

Status send_keys(int socket, const Key32& disk_key, const Key32& measurement_key) {
  SecretBuffer message(2 * kKeySize);
  std::memcpy(message.space().data(), disk_key.declassify().data(), kKeySize);
  std::memcpy(message.space().data() + kKeySize, measurement_key.declassify().data(), kKeySize);
  if (send(socket, message.space().data(), message.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(message.size()))
    return fail_errno("unlock.send");
  return success();
}

Result<Code> receive_code(int socket) {
  uint8_t bytes[2];
  const ssize_t n = recv(socket, bytes, sizeof bytes, 0);
  if (n < 0) return fail_errno("unlock.answer");
  if (n != sizeof bytes) return fail(Code::closed, "unlock.answer");
  const uint16_t number = static_cast<uint16_t>(bytes[0] << 8 | bytes[1]);
  return number == 0 ? Code::ok : code_from_number(number);
}

Result<UnlockRace> UnlockRace::start(const Metadata& metadata, const Uuid& disk, const P256Point& owner) {
  UnlockRace race;
  Child recovery{-1, Fd(), "recovery", false};
  TRY(start_child(
      "cstl-recovery", [&](int socket) { return run_recovery(socket, metadata.variant, disk, owner); }, &recovery.pid,
      &recovery.socket));
  race.children_.push_back(std::move(recovery));
  if (metadata.join.empty()) {
    log_info("rejoin.impossible", {{"why", "the metadata names no joinservice"}});
    return race;
  }
  Child rejoin{-1, Fd(), "rejoin", false};
  TRY(start_child(
      "cstl-rejoin", [&](int socket) { return run_rejoin(socket, metadata, disk); }, &rejoin.pid, &rejoin.socket));
  race.children_.push_back(std::move(rejoin));
  return race;
}

UnlockRace::~UnlockRace() {
  for (Child& child : children_) {
    if (child.pid <= 0) continue;
    int status = 0;
    // The winner still tells its peer that the disk is open.
    for (int tenth = 0; child.won && tenth < 60; ++tenth) {
      if (waitpid(child.pid, &status, WNOHANG) != 0) {
        child.pid = -1;
        break;
      }
      usleep(100 * 1000);
    }
    if (child.pid <= 0) continue;
    (void)kill(child.pid, SIGKILL);
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
}

Result<UnlockOffer> UnlockRace::wait() {
  while (true) {
    std::vector<pollfd> set;
    for (const Child& child : children_) set.push_back({child.pid > 0 ? child.socket.get() : -1, POLLIN, 0});
    if (poll(set.data(), set.size(), -1) < 0 && errno != EINTR) return fail_errno("unlock.poll");
    bool left = false;
    for (size_t i = 0; i < children_.size(); ++i) {
      Child& child = children_[i];
      if (child.pid > 0 && set[i].revents != 0) {
        SecretBuffer message(2 * kKeySize + 1);
        const ssize_t n = recv(child.socket.get(), message.space().data(), message.size(), MSG_DONTWAIT);
        if (n == 2 * kKeySize) {
          UnlockOffer offer;
          TRY_LET(offer.disk_key, Key32::copy_of(message.declassify().first(kKeySize)));
          TRY_LET(offer.measurement_key, Key32::copy_of(message.declassify().skip(kKeySize).first(kKeySize)));
          offer.from = i;
          return offer;
        }
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
          int status = 0;
          while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
          }
          child.pid = -1;
          log_warning("unlock.child_ended", {{"which", child.name}, {"status", int64_t{status}}});
        }
      }
      left = left || child.pid > 0;
    }
    if (!left) return fail(Code::child_failed, "unlock.children");
  }
}

void UnlockRace::answer(const UnlockOffer& offer, Code code) {
  if (offer.from >= children_.size()) return;
  const uint16_t number = static_cast<uint16_t>(code);
  const uint8_t bytes[2] = {static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
  children_[offer.from].won = code == Code::ok;
  (void)send(children_[offer.from].socket.get(), bytes, sizeof bytes, MSG_NOSIGNAL);  // a child that is gone needs none
}

}  // namespace cstl
