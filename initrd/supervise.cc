#include "initrd/supervise.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/atls/messages.h"
#include "crypto/base/log.h"
#include "initrd/cgroups.h"
#include "initrd/children.h"
#include "initrd/console.h"
#include "initrd/places.h"
#include "initrd/programs.h"

namespace cstl {
namespace {

constexpr const char* kBootstrapper = "/usr/bin/cstl-bootstrapper";
constexpr int kFrameMs = 5000;
constexpr int kTermMs = 5000;
constexpr int kTermInRootMs = 15000;
constexpr int kKillMs = 10000;
constexpr const char* kLogs = "/var/log";

struct Channels {
  Fd monitor;   // ours
  Fd output;    // ours
  pid_t child = -1;
};

Result<Channels> start_bootstrapper(const Uuid& disk, const std::string& cgroups) {
  int monitor[2], output[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor) != 0) return fail_errno("bootstrapper.monitor");
  Fd monitor_ours(monitor[0]), monitor_theirs(monitor[1]);
  if (pipe2(output, O_CLOEXEC) != 0) return fail_errno("bootstrapper.output");
  Fd output_ours(output[0]), output_theirs(output[1]);
  if (fcntl(output_ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("bootstrapper.output");
  const std::string uuid = uuid_text(disk);
  Channels out;
  out.child = fork();
  if (out.child < 0) return fail_errno("bootstrapper.fork");
  if (out.child == 0) {
    // Both ends lie above 3, since 0, 1 and 2 are the console: dup2 clears close-on-exec, and may only fall on itself.
    const int to = fcntl(monitor_theirs.get(), F_DUPFD_CLOEXEC, 10);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, 0) < 0) _exit(126);
    if (to < 0 || dup2(output_theirs.get(), 1) < 0 || dup2(output_theirs.get(), 2) < 0 || dup2(to, 3) < 0) _exit(126);
    if (!keep_descriptors(4)) _exit(126);
    (void)setsid();
    if (!cgroups.empty() && !enter_cgroup(cgroups, "bootstrapper").ok()) _exit(125);
    keep_from_oom_killer();
    const char* arguments[] = {kBootstrapper, "--disk", uuid.c_str(), "--state", kStateFolder, "--monitor-fd", "3",
                               nullptr};
    run_program(arguments);
  }
  out.monitor = std::move(monitor_ours);
  out.output = std::move(output_ours);
  return out;
}

Status refuse(int monitor, Code code) {
  ErrorMessage message;
  message.code = static_cast<uint16_t>(code);
  message.text = code_what(code);
  uint8_t space[kMaxErrorText + 16];
  TRY_LET(const Bytes body, message.encode(MutBytes(space, sizeof space)));
  return send_frame(monitor, FrameType::error, body, kFrameMs);
}

Status rekey(StateDisk& disk, Bytes body) {
  TRY_LET(const RekeyRequest request, RekeyRequest::decode(body));
  return disk.seal(request.disk_key, request.owner_key);
}

Status start(Programs* programs, Bytes body) {
  TRY_LET(const StartRequest request, StartRequest::decode(body));
  if (!programs) return fail(Code::unsupported, "monitor.start");
  const Status started = programs->start(request);
  if (!started.ok()) log_error("program.not_started", started.error(), {{"name", request.name}});
  return started;
}

// One message of the bootstrapper; a power action ends supervision. `programs` may be null.
Result<std::optional<PowerAction>> serve(StateDisk& disk, Programs* programs, int monitor) {
  const std::optional<PowerAction> go_on;
  TRY_LET(const Frame frame, receive_frame(monitor, kFrameMs));
  if (frame.type == FrameType::start_request) {
    const Status started = start(programs, frame.body.declassify());
    TRY(started.ok() ? send_frame(monitor, FrameType::start_done, Bytes(), kFrameMs) : refuse(monitor, started.code()));
    return go_on;
  }
  if (frame.type == FrameType::power_request) {
    TRY_LET(const PowerRequest request, PowerRequest::decode(frame.body.declassify()));
    return std::optional<PowerAction>(request.action);
  }
  if (frame.type != FrameType::rekey_request) {
    (void)refuse(monitor, Code::frame_type);
    return fail(Code::frame_type, "monitor.request");
  }
  log_info("disk.sealing", {{"disk", uuid_text(disk.uuid())}});
  const Status sealed = rekey(disk, frame.body.declassify());
  if (sealed.ok()) {
    log_info("disk.sealed", {{"disk", uuid_text(disk.uuid())}});
    TRY(send_frame(monitor, FrameType::rekey_done, Bytes(), kFrameMs));
  } else {
    log_error("disk.seal_failed", sealed.error());
    TRY(refuse(monitor, sealed.code()));
  }
  return go_on;
}

// Reaps all that ended; the bootstrapper's own status if it is among them.
std::optional<int> reap(pid_t bootstrapper, Programs& programs) {
  std::optional<int> out;
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == bootstrapper) {
      out = status;
    } else {
      (void)programs.ended(pid, status);  // or an orphan
    }
  }
  return out;
}

// True once PID 1 has no children any more, false after `ms`.
bool all_ended(int ms) {
  const int64_t end = monotonic_ms() + ms;
  while (monotonic_ms() < end) {
    const pid_t pid = waitpid(-1, nullptr, WNOHANG);
    if (pid < 0) return true;
    if (pid == 0) usleep(50 * 1000);
  }
  return false;
}

}  // namespace

Result<PowerAction> supervise(StateDisk& disk, bool in_root) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return fail_errno("supervise.signals");
  const Fd children(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!children.valid()) return fail_errno("supervise.signalfd");
  const std::string cgroups = in_root ? std::string(kCgroups) + "/system" : std::string();
  Programs programs(kLogs, cgroups);
  TRY_LET(Channels c, start_bootstrapper(disk.uuid(), cgroups));
  log_info("bootstrapper.started", {{"pid", int64_t{c.child}}, {"disk", uuid_text(disk.uuid())}});
  ConsoleLines lines;
  while (true) {
    std::vector<pollfd> set = {{children.get(), POLLIN, 0}, {c.output.get(), POLLIN, 0}, {c.monitor.get(), POLLIN, 0}};
    for (size_t i = 0; i < programs.size(); ++i) set.push_back({programs.output(i), POLLIN, 0});
    if (poll(set.data(), set.size(), programs.wait_ms()) < 0 && errno != EINTR) return fail_errno("supervise.poll");
    for (size_t i = 0; i < programs.size(); ++i) {
      if (set[3 + i].revents != 0) programs.forward(i);
    }
    if (set[1].revents != 0 && !lines.forward(c.output.get(), STDERR_FILENO)) c.output = Fd();
    if (set[0].revents != 0) {
      signalfd_siginfo unused;
      while (read(children.get(), &unused, sizeof unused) > 0) {
      }
      if (const auto status = reap(c.child, programs)) {
        (void)lines.forward(c.output.get(), STDERR_FILENO);  // its last words
        return fail(Code::child_failed, "bootstrapper.ended", Origin::errno_value, *status);
      }
    }
    programs.start_due();
    if (set[2].revents != 0) {
      auto served = serve(disk, in_root ? &programs : nullptr, c.monitor.get());
      if (served.ok() && *served) return **served;
      if (!served) {
        if (served.code() != Code::closed) log_error("monitor.failed", served.error());
        c.monitor = Fd();
      }
    }
  }
}

void leave(PowerAction action, StateDisk* disk, bool in_root) {
  log_info("machine.leaving", {{"action", action == PowerAction::off ? "power off" : "reboot"}});
  (void)kill(-1, SIGTERM);
  if (!all_ended(in_root ? kTermInRootMs : kTermMs)) {
    (void)kill(-1, SIGKILL);
    if (!all_ended(kKillMs)) log_warning("machine.process_stuck", {{"what", "a process does not end; going on"}});
  }
  if (in_root) release_places();
  if (disk) disk->close();
  sync();
  while (true) {
    (void)reboot(action == PowerAction::off ? RB_POWER_OFF : RB_AUTOBOOT);
    sleep(1);
  }
}

}  // namespace cstl
