#include "tests/harness/control_plane.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "tests/harness/swtpm.h"

extern char** environ;

namespace cstl::test {

namespace {
[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "harness: %s\n", what.c_str());
  std::abort();
}
}  // namespace

std::unique_ptr<Helper> Helper::start(const std::vector<std::string>& argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<Helper> helper(new Helper);
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) give_up("no pipe");
  std::vector<char*> pointers;
  for (const std::string& a : argv) pointers.push_back(const_cast<char*>(a.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  int rc = posix_spawnp(&helper->pid_, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) give_up("cannot start " + argv[0]);
  close(in[0]);
  close(out[1]);
  helper->in_ = in[1];
  helper->out_ = out[0];
  for (;;) {
    std::string line = helper->read_line();
    if (line == "ready") return helper;
    size_t equals = line.find('=');
    if (equals == std::string::npos) give_up(argv[0] + " did not start");
    helper->values_[line.substr(0, equals)] = line.substr(equals + 1);
  }
}

Helper::~Helper() {
  close(in_);
  waitpid(pid_, nullptr, 0);
  close(out_);
}

std::string Helper::read_line() {
  for (;;) {
    size_t end = rest_.find('\n');
    if (end != std::string::npos) {
      std::string line = rest_.substr(0, end);
      rest_.erase(0, end + 1);
      return line;
    }
    char some[512];
    ssize_t n = read(out_, some, sizeof some);
    if (n <= 0) return "";
    rest_.append(some, static_cast<size_t>(n));
  }
}

const std::string& Helper::operator[](const char* name) const {
  auto found = values_.find(name);
  if (found == values_.end()) give_up(std::string("no value ") + name);
  return found->second;
}

void Helper::command(const std::string& line) {
  if (!write_all(in_, Bytes(line + "\n")).ok() || read_line() != "done") give_up("command failed: " + line);
}

Helper& ControlPlane::shared() {
  static std::unique_ptr<Helper> plane = start();
  return *plane;
}

std::unique_ptr<Helper> ControlPlane::start() { return Helper::start({"tests/harness/control_plane.sh"}); }

std::unique_ptr<Helper> start_bad_server(const std::string& certificate, const std::string& key) {
  return Helper::start({"python3", "tests/harness/bad_server.py", certificate, key});
}

void make_certificate(const std::string& folder, const std::string& name, const std::string& ca,
                      const std::string& ca_key, const std::string& subject) {
  std::string base = folder + "/" + name;
  std::vector<std::string> request = {"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                                      "-nodes", "-keyout", base + ".key", "-subj", subject};
  if (ca.empty()) {
    request.insert(request.end(), {"-x509", "-days", "2", "-out", base + ".crt", "-addext",
                                   "subjectAltName=IP:127.0.0.1,DNS:localhost"});
    if (!run(request)) give_up("openssl made no certificate");
    return;
  }
  request.insert(request.end(), {"-out", base + ".csr"});
  if (!write_file_durably((base + ".ext").c_str(), Bytes("subjectAltName=IP:127.0.0.1,DNS:localhost\n")).ok() ||
      !run(request) ||
      !run({"openssl", "x509", "-req", "-in", base + ".csr", "-CA", ca, "-CAkey", ca_key, "-set_serial", "77", "-days",
            "2", "-extfile", base + ".ext", "-out", base + ".crt"})) {
    give_up("openssl made no certificate");
  }
}

}  // namespace cstl::test
