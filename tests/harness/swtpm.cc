#include "tests/harness/swtpm.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/x509.h"

extern char** environ;

namespace cstl::test {

namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "swtpm: %s\n", what.c_str());
  std::abort();
}

pid_t spawn(const std::vector<std::string>& argv, const std::string& log) {
  std::vector<char*> pointers;
  for (const std::string& a : argv) pointers.push_back(const_cast<char*>(a.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  int rc = posix_spawnp(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return rc == 0 ? pid : -1;
}

// Its file is there before it listens.
bool answers(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd.valid() && connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

void write_text(const std::string& path, const std::string& text) {
  if (!write_file_durably(path.c_str(), Bytes(text)).ok()) give_up("cannot write " + path);
}

std::vector<uint8_t> certificate(const std::string& path) {
  auto pem = read_file(path.c_str(), 64 * 1024);
  if (!pem.ok()) give_up("cannot read " + path);
  auto der = certificates_from_file(*pem);
  if (!der.ok() || der->empty()) give_up("no certificate in " + path);
  return der->front();
}

}  // namespace

bool run(const std::vector<std::string>& argv, const std::string& log) {
  pid_t pid = spawn(argv, log);
  int status = -1;
  return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Swtpm& Swtpm::shared() {
  static std::unique_ptr<Swtpm> tpm = start();
  return *tpm;
}

Swtpm& Swtpm::second() {
  static std::unique_ptr<Swtpm> tpm = start();
  return *tpm;
}

std::unique_ptr<Swtpm> Swtpm::start() {
  std::unique_ptr<Swtpm> tpm(new Swtpm());
  char pattern[] = "/tmp/cstl-swtpm-XXXXXX";  // short: a socket's path has 108 bytes
  if (mkdtemp(pattern) == nullptr) give_up("no temporary folder");
  const std::string dir = tpm->folder_ = pattern;
  for (const char* sub : {"/ca", "/state"}) {
    if (!make_folders(dir + sub).ok()) give_up("no folder");
  }
  write_text(dir + "/localca.conf", "statedir = " + dir + "/ca\nsigningkey = " + dir + "/ca/signkey.pem\nissuercert = " +
                                        dir + "/ca/issuercert.pem\ncertserial = " + dir + "/ca/certserial\n");
  write_text(dir + "/options", "");
  write_text(dir + "/setup.conf", "create_certs_tool = swtpm_localca\ncreate_certs_tool_config = " + dir +
                                      "/localca.conf\ncreate_certs_tool_options = " + dir + "/options\n");
  const std::string log = dir + "/log";
  if (!run({"swtpm_setup", "--tpm2", "--tpmstate", dir + "/state", "--config", dir + "/setup.conf", "--create-ek-cert",
            "--pcr-banks", "sha256"}, log)) {
    give_up("swtpm_setup failed: see " + log);
  }
  tpm->power_on();

  // As TPM vendors do: the EK's issuer in NV (TCG EK Credential Profile 2.5, 2.2.1.5.2).
  const std::vector<uint8_t> issuer = tpm->issuer();
  write_text(dir + "/issuer.der", std::string(Bytes(issuer).text()));
  if (!run({"tpm2_nvdefine", "-T", tpm->device(), "0x01c00100", "-C", "p", "-s", std::to_string(issuer.size()), "-a",
            "ppwrite|ppread|ownerread|authread|platformcreate|no_da"}, log) ||
      !run({"tpm2_nvwrite", "-T", tpm->device(), "0x01c00100", "-C", "p", "-i", dir + "/issuer.der"}, log)) {
    give_up("tpm2_nvdefine failed: see " + log);
  }
  return tpm;
}

void Swtpm::power_on() {
  const std::string log = folder_ + "/log";
  pid_ = spawn({"swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + folder_ + "/state", "--server",
                "type=unixio,path=" + folder_ + "/tpm", "--ctrl", "type=unixio,path=" + folder_ + "/tpm.ctrl", "--flags",
                "startup-clear"}, log);
  for (int i = 0; i < 1000 && !(answers(folder_ + "/tpm") && access((folder_ + "/tpm.ctrl").c_str(), F_OK) == 0); ++i) {
    usleep(10'000);
  }
  if (pid_ < 0 || access((folder_ + "/tpm.ctrl").c_str(), F_OK) != 0) give_up("swtpm did not start: see " + log);
}

void Swtpm::reset() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  unlink((folder_ + "/tpm").c_str());
  unlink((folder_ + "/tpm.ctrl").c_str());
  power_on();
}

Swtpm::~Swtpm() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::vector<uint8_t> Swtpm::root() const { return certificate(folder_ + "/ca/swtpm-localca-rootca-cert.pem"); }
std::vector<uint8_t> Swtpm::issuer() const { return certificate(folder_ + "/ca/issuercert.pem"); }

}  // namespace cstl::test
