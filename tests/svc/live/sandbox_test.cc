// The sandboxes of the services, on the programs that ship: their state as the kernel reports it, and calls that a
// debugger has them make, as an attacker inside of them would. Then each compiled policy, row by row.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "svc/run/exporter.h"
#include "tests/svc/live/inject.h"
#include "tests/svc/live/line.h"

namespace cstl {
namespace {

using test::inject;
using test::Injected;
using test::kPath;
using test::Line;
using test::Service;

constexpr unsigned long kCwd = static_cast<unsigned long>(AT_FDCWD);
using Arguments6 = std::array<unsigned long, 6>;

std::string status_line(pid_t pid, const char* key) {
  auto text = read_file(("/proc/" + std::to_string(pid) + "/status").c_str(), 64 * 1024);
  if (!text.ok()) return "";
  std::string all(Bytes(*text).text());
  size_t at = ("\n" + all).find("\n" + std::string(key) + ":\t");
  if (at == std::string::npos) return "";
  size_t start = all.find('\t', at) + 1;
  return all.substr(start, all.find('\n', start) - start);
}

struct Target {
  const char* name;
  std::unique_ptr<Service> Line::*service;
  uid_t uid;
};
const Target kTargets[] = {{"keyservice", &Line::keyservice, kKeyserviceUid},
                           {"joinservice", &Line::joinservice, kJoinserviceUid},
                           {"verificationservice", &Line::verificationservice, kVerificationserviceUid}};

TEST_CASE("each service runs as its own user, without groups, capabilities or a way to any, under seccomp") {
  Line& line = Line::get();
  for (const Target& target : kTargets) {
    INFO(std::string(target.name));
    pid_t pid = (line.*target.service)->pid();
    std::string uid = std::to_string(target.uid);
    std::string four = uid + "\t" + uid + "\t" + uid + "\t" + uid;
    CHECK(status_line(pid, "Uid") == four);
    CHECK(status_line(pid, "Gid") == four);
    CHECK(status_line(pid, "Groups").find_first_not_of(" ") == std::string::npos);
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      CHECK(status_line(pid, set) == "0000000000000000");
    }
    CHECK(status_line(pid, "NoNewPrivs") == "1");
    CHECK(status_line(pid, "Seccomp") == std::to_string(SECCOMP_MODE_FILTER));
    CHECK(status_line(pid, "Threads") == "1");
  }
}

pid_t exporter_of(pid_t service) {
  const std::string id = std::to_string(service);
  auto children = read_file(("/proc/" + id + "/task/" + id + "/children").c_str(), 256);
  return children.ok() ? static_cast<pid_t>(std::strtol(std::string(Bytes(*children).text()).c_str(), nullptr, 10)) : 0;
}

TEST_CASE("each exporter is a user of its own with less than its service, and its end costs the service nothing") {
  Line& line = Line::get();
  const std::string uid = std::to_string(kExporterUid);
  for (const Target& target : kTargets) {
    INFO(std::string(target.name));
    pid_t service = (line.*target.service)->pid();
    pid_t pid = exporter_of(service);
    REQUIRE(pid > 0);
    CHECK(status_line(pid, "Name") == "cstl-exporter");
    CHECK(status_line(pid, "Uid") == uid + "\t" + uid + "\t" + uid + "\t" + uid);
    CHECK(status_line(pid, "Gid") == uid + "\t" + uid + "\t" + uid + "\t" + uid);
    CHECK(status_line(pid, "Groups").find_first_not_of(" ") == std::string::npos);
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      CHECK(status_line(pid, set) == "0000000000000000");
    }
    CHECK(status_line(pid, "NoNewPrivs") == "1");
    CHECK(status_line(pid, "Seccomp") == std::to_string(SECCOMP_MODE_FILTER));
    Injected call = inject(pid, SYS_openat, {kCwd, kPath, O_RDONLY, 0, 0, 0}, "/etc/passwd");
    CHECK(call.stopped);
    CHECK_FALSE(call.alive);
    CHECK(call.signal == SIGSYS);
    CHECK((line.*target.service)->logs("exporter.ended"));
    CHECK(kill(service, 0) == 0);
    CHECK(exporter_of(service) == 0);   // and it leaves no zombie
  }
  std::string why;
  CHECK(rejoin(line.join_endpoint, line.worker.party(), Uuid{}, 20'000, &why).code() == Code::peer_error);
  line.start_services();
}

TEST_CASE("a service that makes a forbidden call is killed by the kernel") {
  struct Row {
    const char* name;
    long number;
    Arguments6 arguments;
    const char* path;
  };
  const Row rows[] = {
      {"execve", SYS_execve, {kPath, 0, 0, 0, 0, 0}, "/bin/sh"},
      {"open to write", SYS_openat, {kCwd, kPath, O_WRONLY | O_CREAT, 0600, 0, 0}, "/tmp/cstl-escaped"},
      {"TCP socket", SYS_socket, {AF_INET, SOCK_STREAM, 0, 0, 0, 0}, ""},
      {"fork", SYS_clone, {SIGCHLD, 0, 0, 0, 0, 0}, ""},
      {"ptrace", SYS_ptrace, {PTRACE_TRACEME, 0, 0, 0, 0, 0}, ""},
      {"executable memory", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, ~0UL, 0}, ""},
      {"mprotect", SYS_mprotect, {0x1000, 4096, PROT_EXEC, 0, 0, 0}, ""},
      {"setuid", SYS_setuid, {0, 0, 0, 0, 0, 0}, ""},
      {"x32 getpid", 0x40000000 + SYS_getpid, {0, 0, 0, 0, 0, 0}, ""},
  };
  Line& line = Line::get();
  for (const Target& target : kTargets) {
    for (const Row& row : rows) {
      INFO(std::string(target.name));
      INFO(std::string(row.name));
      Injected call = inject((line.*target.service)->pid(), row.number, row.arguments, row.path);
      CHECK(call.stopped);
      CHECK_FALSE(call.alive);
      CHECK(call.signal == SIGSYS);
      line.start_services();
    }
  }
  CHECK(access("/tmp/cstl-escaped", F_OK) != 0);
}

TEST_CASE("a call that the policy allows does not kill, and the service goes on serving") {
  Line& line = Line::get();
  for (const Target& target : kTargets) {
    INFO(std::string(target.name));
    pid_t pid = (line.*target.service)->pid();
    Injected call = inject(pid, SYS_getpid, {});
    CHECK(call.stopped);
    CHECK(call.alive);
    CHECK(call.result == pid);
    CHECK(kill(pid, 0) == 0);
  }
  std::string why;
  auto ticket = rejoin(line.join_endpoint, line.worker.party(), Uuid{}, 20'000, &why);
  CHECK(ticket.code() == Code::peer_error);  // unknown_node: a whole session, and an answer
}

TEST_CASE("the joinservice reaches its own folder and no other path") {
  Line& line = Line::get();
  pid_t pid = line.joinservice->pid();
  auto open_in_it = [&](const std::string& path, unsigned long flags) {
    Injected call = inject(pid, SYS_openat, {kCwd, kPath, flags, 0600, 0, 0}, path);
    CHECK(call.alive);
    return call.result;
  };
  constexpr unsigned long kRead = O_RDONLY | O_CLOEXEC;
  constexpr unsigned long kMake = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  CHECK(open_in_it(line.folder + "/store/owner.key", kRead) >= 0);
  CHECK(open_in_it("/etc/passwd", kRead) == -EACCES);
  CHECK(open_in_it("/proc/self/maps", kRead) == -EACCES);
  CHECK(open_in_it(line.folder + "/master", kRead) == -EACCES);
  CHECK(open_in_it("/tmp/cstl-escaped", kMake) == -EACCES);
  CHECK(open_in_it(line.folder + "/store/nodes/probe", kMake) >= 0);
  CHECK(access((line.folder + "/store/nodes/probe").c_str(), F_OK) == 0);
  CHECK(unlink((line.folder + "/store/nodes/probe").c_str()) == 0);
}

// --- each compiled policy, call by call, in a child that makes no other call ---

enum class Fate { lives, dies };

__attribute__((no_sanitize("address", "undefined"))) long raw(long number, const Arguments6& a) {
  long result = 0;
  register unsigned long r10 __asm__("r10") = a[3];
  register unsigned long r8 __asm__("r8") = a[4];
  register unsigned long r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

Fate fate_of(const SeccompPolicy& policy, long number, const Arguments6& arguments) {
  pid_t child = fork();
  if (child == 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !restrict_calls(policy).ok()) _exit(9);
    raw(number, arguments);
    raw(SYS_exit_group, {});
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? Fate::dies : Fate::lives;
}

struct PolicyRow {
  const char* name;
  long number;
  Arguments6 arguments;
  bool key, join, verification, exporter;   // allowed there
};

TEST_CASE("each policy allows what its service needs and kills for the rest") {
  constexpr unsigned long kUnix = AF_UNIX, kStream = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  constexpr unsigned long kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  constexpr unsigned long kMake = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const PolicyRow rows[] = {
      {"read", SYS_read, {~0UL, 0, 0, 0, 0, 0}, true, true, true, true},
      {"poll", SYS_poll, {0, 0, 0, 0, 0, 0}, true, true, true, true},
      {"getrandom", SYS_getrandom, {0, 0, 0, 0, 0, 0}, true, true, true, true},
      {"anonymous memory", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, kAnonymous, ~0UL, 0}, true, true, true, true},
      {"executable memory", SYS_mmap, {0, 4096, PROT_EXEC, kAnonymous, ~0UL, 0}, false, false, false, false},
      {"TCP_NODELAY", SYS_setsockopt, {~0UL, 6, 1, 0, 0, 0}, true, true, true, true},
      {"another socket option", SYS_setsockopt, {~0UL, 1, 9, 0, 0, 0}, false, false, false, false},
      {"TCP_CORK", SYS_setsockopt, {~0UL, 6, 3, 0, 0, 0}, false, false, false, true},
      {"epoll_wait", SYS_epoll_wait, {~0UL, 0, 0, 0, 0, 0}, false, false, false, true},
      {"epoll_ctl", SYS_epoll_ctl, {~0UL, 0, 0, 0, 0, 0}, false, false, false, true},
      {"epoll_create1", SYS_epoll_create1, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"pread64", SYS_pread64, {~0UL, 0, 0, 0, 0, 0}, false, false, false, true},
      {"pwrite64", SYS_pwrite64, {~0UL, 0, 0, 0, 0, 0}, false, false, false, false},
      {"sendmsg", SYS_sendmsg, {~0UL, 0, 0, 0, 0, 0}, false, false, false, true},
      {"socketpair", SYS_socketpair, {kUnix, kStream, 0, 0, 0, 0}, false, false, false, false},
      {"F_SETFL", SYS_fcntl, {~0UL, F_SETFL, 0, 0, 0, 0}, true, true, true, true},
      {"F_DUPFD", SYS_fcntl, {0, F_DUPFD, 0, 0, 0, 0}, false, false, false, false},
      {"send to the connected peer", SYS_sendto, {~0UL, 0, 0, 0, 0, 0}, true, true, true, true},
      {"send to an address", SYS_sendto, {~0UL, 0, 0, 0, 0x10000000000UL, 16}, false, false, false, false},
      {"unix socket", SYS_socket, {kUnix, kStream, 0, 0, 0, 0}, false, true, true, false},
      {"unix datagram socket", SYS_socket, {kUnix, SOCK_DGRAM, 0, 0, 0, 0}, false, false, false, false},
      {"TCP socket", SYS_socket, {AF_INET, kStream, 0, 0, 0, 0}, false, false, false, false},
      {"netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 0, 0, 0, 0}, false, false, false, false},
      {"connect", SYS_connect, {~0UL, 0, 0, 0, 0, 0}, false, true, true, false},
      {"bind", SYS_bind, {~0UL, 0, 0, 0, 0, 0}, false, false, false, false},
      {"open to read", SYS_openat, {kCwd, 0, O_RDONLY | O_CLOEXEC, 0, 0, 0}, false, true, false, false},
      {"make a new file", SYS_openat, {kCwd, 0, kMake, 0600, 0, 0}, false, true, false, false},
      {"open to overwrite", SYS_openat, {kCwd, 0, O_RDWR, 0, 0, 0}, false, false, false, false},
      {"open to truncate", SYS_openat, {kCwd, 0, O_WRONLY | O_TRUNC, 0, 0, 0}, false, false, false, false},
      {"legacy open", SYS_open, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"rename", SYS_rename, {0, 0, 0, 0, 0, 0}, false, true, false, false},
      {"link", SYS_link, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"chmod", SYS_chmod, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"execve", SYS_execve, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"execveat", SYS_execveat, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"clone", SYS_clone, {SIGCHLD | 0x100UL, 0, 0, 0, 0, 0}, false, false, false, false},
      {"clone3", SYS_clone3, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"kill", SYS_kill, {~0UL, 0, 0, 0, 0, 0}, false, false, false, false},
      {"ptrace", SYS_ptrace, {~0UL, 0, 0, 0, 0, 0}, false, false, false, false},
      {"process_vm_readv", SYS_process_vm_readv, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"ioctl", SYS_ioctl, {0, 0x5401, 0, 0, 0, 0}, false, false, false, false},
      {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0, 0}, false, false, false, false},
      {"bpf", SYS_bpf, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"io_uring_setup", SYS_io_uring_setup, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"unshare", SYS_unshare, {0, 0, 0, 0, 0, 0}, false, false, false, false},
      {"an unknown number", 5000, {0, 0, 0, 0, 0, 0}, false, false, false, false},
  };
  for (const PolicyRow& row : rows) {
    INFO(std::string(row.name));
    CHECK((fate_of(kKeyserviceSeccomp, row.number, row.arguments) == Fate::lives) == row.key);
    CHECK((fate_of(kJoinserviceSeccomp, row.number, row.arguments) == Fate::lives) == row.join);
    CHECK((fate_of(kVerificationserviceSeccomp, row.number, row.arguments) == Fate::lives) == row.verification);
    CHECK((fate_of(kExporterSeccomp, row.number, row.arguments) == Fate::lives) == row.exporter);
  }
}

}  // namespace
}  // namespace cstl
