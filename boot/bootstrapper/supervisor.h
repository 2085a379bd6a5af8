// Keeps programs running: each is started at once and again whenever it ends, with back-off and a line in the log.
// Children get no descriptor but standard input (/dev/null), output and error, an empty environment and a clear signal
// mask. They run with the bootstrapper's rights and confine themselves (svc/run/lockdown.h).
#pragma once

#include <string>
#include <vector>

#include "crypto/base/fd.h"
#include "svc/run/loop.h"

namespace cstl {

struct Program {
  std::string name;                      // for the log
  std::vector<std::string> arguments;    // arguments[0] is the path
};

class Supervisor {
 public:
  explicit Supervisor(Loop& loop) : loop_(loop) {}
  ~Supervisor();                         // as stop()

  // Starts it now and keeps it running.
  void keep(Program program);
  // SIGTERM to all, then SIGKILL after `grace_ms`; waits for their end.
  void stop(int grace_ms = 2000);

 private:
  struct Child {
    Program program;
    pid_t pid = -1;
    Fd pidfd;
    Loop::Id watch = 0;
    int64_t started = 0;
    int pause_ms = 0;
  };
  void start(Child& child);
  void ended(Child& child);
  void start_later(Child& child);

  Loop& loop_;
  std::vector<std::unique_ptr<Child>> children_;
  bool stopping_ = false;
};

}  // namespace cstl
