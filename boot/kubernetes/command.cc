#include "boot/kubernetes/command.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/signals.h"

namespace cstl::kubernetes {
namespace {

constexpr int kTickMs = 200;
constexpr int kGraceMs = 3000;
constexpr int kNotExecutable = 127;
constexpr size_t kTail = 64 * 1024;
constexpr const char* kFolders[] = {"/opt/cstl/bin", "/usr/bin", "/usr/sbin"};

[[noreturn]] void run_child(const std::vector<std::string>& arguments, int output) {
  setpgid(0, 0);
  default_signals();
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0) {
    _exit(kNotExecutable);
  }
  if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) != 0 && errno != ENOSYS) _exit(kNotExecutable);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char path[] = "PATH=/opt/cstl/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char home[] = "HOME=/root";
  char* environment[] = {path, home, nullptr};
  execve(argv[0], argv.data(), environment);
  _exit(kNotExecutable);
}

// Cuts what comes through the pipe into lines.
class Lines {
 public:
  Lines(const Command& command, std::deque<std::string>& last) : command_(command), last_(last) {}
  void add(Bytes data) {
    for (uint8_t c : data) {
      if (c == '\n') {
        finish();
      } else if (line_.size() < 4 * kMaxLine) {
        line_.push_back(static_cast<char>(c));
      }
    }
  }
  void finish() {
    std::string line = printable_line(line_);
    line_.clear();
    if (line.find_first_not_of(' ') == std::string::npos) return;
    if (last_.size() == kKeptLines) last_.pop_front();
    last_.push_back(line);
    if (command_.on_line) command_.on_line(line);
  }

 private:
  const Command& command_;
  std::deque<std::string>& last_;
  std::string line_;
};

// True when the pipe's end came.
bool drain(int fd, Lines& lines) {
  uint8_t chunk[4096];
  for (;;) {
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n > 0) {
      lines.add(Bytes(chunk, static_cast<size_t>(n)));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    return n == 0;
  }
}

}  // namespace

std::string printable_line(std::string_view line) {
  std::string out;
  for (char c : line.substr(0, kMaxLine)) {
    if (c == '\t') c = ' ';
    out.push_back(c >= ' ' && c < 127 ? c : '?');
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '?')) out.pop_back();
  return out;
}

Result<CommandEnd> run_command(const Command& command) {
  if (command.arguments.empty()) return fail(Code::internal, "command.arguments");
  if (access(command.arguments[0].c_str(), X_OK) != 0) return fail_errno("command.program");
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail_errno("command.pipe");
  Fd ours(pipe_ends[0]), theirs(pipe_ends[1]);
  if (fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("command.pipe");
  pid_t pid = fork();
  if (pid < 0) return fail_errno("command.fork");
  if (pid == 0) run_child(command.arguments, theirs.get());
  setpgid(pid, pid);
  theirs = Fd();

  CommandEnd out;
  Lines lines(command, out.last);
  const int64_t deadline = monotonic_ms() + command.timeout_ms;
  bool open = true, late = false;
  int status = 0;
  for (;;) {
    pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) return fail_errno("command.wait");
    if (ended == pid) break;
    if (monotonic_ms() >= deadline) {
      late = true;
      kill(-pid, SIGTERM);
      for (int64_t end = monotonic_ms() + kGraceMs; monotonic_ms() < end;) {
        if (waitpid(pid, &status, WNOHANG) == pid) break;
        usleep(50'000);
      }
      break;
    }
    pollfd wait{open ? ours.get() : -1, POLLIN, 0};
    (void)poll(&wait, 1, kTickMs);  // woken or not, everything is looked at again
    if (open && drain(ours.get(), lines)) open = false;
    if (command.on_tick) command.on_tick();
  }
  kill(-pid, SIGKILL);  // what it left behind, and itself when it did not listen
  if (late) (void)waitpid(pid, &status, 0);  // ECHILD when it is reaped already
  if (open) (void)drain(ours.get(), lines);
  lines.finish();
  if (late) return fail(Code::timeout, "command.deadline");
  if (WIFSIGNALED(status)) {
    out.signal = WTERMSIG(status);
  } else {
    out.exit_code = WEXITSTATUS(status);
  }
  return out;
}

Result<std::string> find_program(const std::string& name) {
  for (const char* folder : kFolders) {
    std::string path = std::string(folder) + "/" + name;
    struct stat info {};
    if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0) return path;
  }
  return fail(Code::kubernetes_missing, "program.find");
}

std::vector<std::string> last_lines(const std::string& path, size_t lines) {
  std::vector<std::string> out;
  auto file = open_file(path.c_str(), O_RDONLY | O_NOFOLLOW);
  if (!file) return out;
  off_t size = lseek(file->get(), 0, SEEK_END);
  off_t from = std::max<off_t>(size - static_cast<off_t>(kTail), 0);
  if (size < 0 || lseek(file->get(), from, SEEK_SET) < 0) return out;
  std::string text(kTail, 0);
  ssize_t n = read(file->get(), text.data(), text.size());
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  size_t at = 0;
  while (at < text.size()) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string line = printable_line(std::string_view(text).substr(at, end - at));
    if (!line.empty()) out.push_back(std::move(line));
    at = end + 1;
  }
  if (out.size() > lines) out.erase(out.begin(), out.end() - static_cast<ptrdiff_t>(lines));
  return out;
}

}  // namespace cstl::kubernetes
