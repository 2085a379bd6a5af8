// Programs that the bootstrapper asks PID 1 to run (containerd, the kubelet): children of PID 1, so that they have
// none of the bootstrapper's limits, and kept running: one that ends is started again after a pause that doubles from
// half a second to ten, and is short again after a minute of running.
//
// A program gets: its arguments, the fixed environment of run_program() (initrd/children.h), a session, a control group
// and an oom_score_adj of -999 of its own, /dev/null as input, a log file as output, no other descriptor, and limits as
// containers need them. Every start and end is a line on the console, what it writes is not.
#pragma once

#include <memory>
#include <vector>

#include "initrd/logfile.h"
#include "svc/wire/monitor.h"

namespace cstl {

class Programs {
 public:
  // `logs`: the folder of NAME.log; `cgroups`: that of NAME, or empty for none.
  Programs(std::string logs, std::string cgroups) : logs_(std::move(logs)), cgroups_(std::move(cgroups)) {}

  // Runs it now; ends an earlier one of that name first (SIGTERM, ten seconds, SIGKILL), during which it blocks.
  // Errors: bad_value (no absolute path), not_found (the program), denied, io, by errno of what failed; then nothing
  // runs, or will run, under that name.
  Status start(const StartRequest& request);

  // Tells that a child of PID 1 ended. False if it is none of these.
  bool ended(pid_t pid, int status);

  // Milliseconds until a program is due to start again; -1 if none is. start_due() starts those that are.
  int wait_ms() const;
  void start_due();

  // The descriptors to poll for output, and what to do when number `i` of them is readable.
  size_t size() const { return programs_.size(); }
  int output(size_t i) const { return programs_[i]->output.get(); }
  void forward(size_t i);

 private:
  struct Program {
    Program(StartRequest r, std::string log_path) : request(std::move(r)), log(std::move(log_path)) {}
    StartRequest request;
    LogFile log;
    Fd output;            // ours
    Fd input;             // the programs': kept open, so that the pipe outlives each of them
    pid_t pid = -1;
    int64_t started = 0;
    int64_t due = 0;      // while pid is -1
    int pause_ms = 0;
  };
  Status run(Program& program);
  void end(Program& program);
  void pause(Program& program);

  std::string logs_, cgroups_;
  std::vector<std::unique_ptr<Program>> programs_;
};

}  // namespace cstl
