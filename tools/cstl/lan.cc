#include "tools/cstl/lan.h"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "tools/cstl/process.h"
#include "tools/cstl/qmp.h"
#include "tools/cstl/switch.h"

namespace cstl::cli {

namespace {
constexpr int kStartMs = 30000;
constexpr const char* kMonitor = "monitor.sock";

std::string folder_of(const std::string& workspace) { return mini_folder(workspace) + "/lan"; }
// Says that the QEMU that runs forwards the machine's ports.
std::string mark_of(const std::string& workspace, const Machine& machine) {
  return folder_of(workspace) + "/" + machine.name + ".forwarded";
}
pid_t live_switch(const std::string& workspace) {
  return live_process(folder_of(workspace) + "/switch.pid", "switch");
}
pid_t live_gateway(const std::string& workspace) {
  return live_process(folder_of(workspace) + "/qemu.pid", "qemu-system");
}

Status start(const std::string& workspace, std::string* problem) {
  std::string folder = folder_of(workspace);
  TRY(make_folders(folder));
  if (live_switch(workspace) == 0) {
    *problem = folder + "/switch.log";
    TRY(run_program({"/proc/self/exe", "mini", "switch"}, folder, folder + "/switch.log", kStartMs,
                    mini_folder(workspace)));
  }
  if (live_gateway(workspace) != 0) return success();
  *problem = folder + "/qemu.log";
  TRY(remove_files(folder, ".forwarded"));
  return run_program({"qemu-system-x86_64", "-M", "none", "-nodefaults", "-no-user-config", "-display", "none",
                      "-netdev", "user,id=out,ipv6=off", "-netdev", "hubport,id=hub-out,hubid=0,netdev=out",
                      "-netdev", "dgram,id=lan," + lan_port(kUplink),
                      "-netdev", "hubport,id=hub-lan,hubid=0,netdev=lan",
                      "-chardev", std::string("socket,id=monitor,server=on,wait=off,path=") + kMonitor,
                      "-mon", "chardev=monitor,mode=control", "-daemonize", "-pidfile", "qemu.pid"},
                     folder, folder + "/qemu.log", kStartMs, mini_folder(workspace));
}

std::string host_side(int64_t port) { return "tcp:127.0.0.1:" + std::to_string(port); }

struct Forward { int64_t host; int guest; };
std::vector<Forward> forwards(const Machine& machine) {
  return {{machine.init, 9000}, {machine.join, 9090}, {machine.verify, 9091}, {machine.recover, 9999},
          {machine.api, 6443}};
}

Status forward(Qmp& qmp, const Machine& machine, std::string* problem) {
  for (const Forward& port : forwards(machine)) {
    TRY(qmp.monitor("hostfwd_add out " + host_side(port.host) + "-" + machine.address() + ":" +
                        std::to_string(port.guest), problem));
  }
  return success();
}

// Also of what is not there: what QEMU says to that does not matter.
void forget(Qmp& qmp, const Machine& machine) {
  std::string ignored;
  for (const Forward& port : forwards(machine)) (void)qmp.monitor("hostfwd_remove out " + host_side(port.host), &ignored);
}
}  // namespace

Status join_lan(const std::string& workspace, const Machine& machine, std::string* problem) {
  TRY(start(workspace, problem));
  std::string mark = mark_of(workspace, machine);
  if (access(mark.c_str(), F_OK) == 0) return success();
  *problem = folder_of(workspace) + "/qemu.log";
  TRY_LET(Qmp qmp, Qmp::connect(folder_of(workspace), kMonitor));
  forget(qmp, machine);  // half of them may be left from an attempt that was interrupted
  TRY(forward(qmp, machine, problem));
  return write_file_durably(mark.c_str(), "");
}

Status leave_lan(const std::string& workspace, const Machine& machine, std::string* problem) {
  std::string mark = mark_of(workspace, machine);
  if (access(mark.c_str(), F_OK) != 0) return success();
  if (unlink(mark.c_str()) != 0) return fail_errno("lan.mark");
  if (live_gateway(workspace) == 0) return success();
  *problem = folder_of(workspace) + "/qemu.log";
  TRY_LET(Qmp qmp, Qmp::connect(folder_of(workspace), kMonitor));
  forget(qmp, machine);
  return success();
}

Status start_capture(const std::string& workspace, const std::string& path) {
  if (live_switch(workspace) == 0) return fail(Code::no_virtualization, "lan.stopped");
  TRY_LET(Fd file, open_file(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
  return tell_switch(folder_of(workspace), std::move(file));
}

Status stop_capture(const std::string& workspace) {
  if (live_switch(workspace) == 0) return fail(Code::no_virtualization, "lan.stopped");
  return tell_switch(folder_of(workspace), Fd());
}

Status stop_lan(const std::string& workspace) {
  if (pid_t pid = live_gateway(workspace); pid != 0) TRY(kill_process(pid, SIGKILL));
  if (pid_t pid = live_switch(workspace); pid != 0) TRY(kill_process(pid, SIGKILL));
  return success();
}

}  // namespace cstl::cli
