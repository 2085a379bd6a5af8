// cstl-attester as it ships, on a machine of each variant: what it needs to make evidence is open before it confines
// itself, or behind its broker, and the sandboxes of both hold. The report devices stand behind a mounted stand-in of
// configfs-tsm.
#include <doctest/doctest.h>

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/log.h"
#include "svc/attester/client.h"
#include "svc/run/lockdown.h"
#include "svc/run/platform_brokers.h"
#include "svc/run/platform_options.h"
#include "tests/attest/platform/machine.h"
#include "tests/svc/live/inject.h"
#include "tests/svc/live/line.h"

namespace cstl {
namespace {

using test::CloudMachine;
using test::inject;
using test::Injected;
using test::kPath;
using test::Service;

constexpr Variant kEvery[] = {Variant::qemu_vtpm, Variant::openstack_qemu_vtpm, Variant::qemu_tdx, Variant::aws_nitro_tpm,
                              Variant::aws_sev_snp, Variant::azure_sev_snp, Variant::azure_tdx, Variant::azure_trustedlaunch,
                              Variant::gcp_sev_es, Variant::gcp_sev_snp, Variant::tpm, Variant::sev_snp, Variant::tdx};
constexpr unsigned long kCwd = static_cast<unsigned long>(AT_FDCWD);

// Over configfs, and with what a TPM says that is none of AWS's: no document.
struct Attested {
  explicit Attested(Variant variant) : machine(variant, {}, true) {
    if (ak_root_of(variant) == AkRoot::document) {
      machine.set.ak_roots.clear();
      machine.set.nitro_pcrs.clear();
      machine.set.allow_unendorsed_ak = true;
    }
    char pattern[] = "/tmp/cstl-attester-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    folder = pattern;
    chmod(folder.c_str(), 0755);
    if (has_tpm(variant)) {
      const std::string socket = machine.paths.tpm.substr(machine.paths.tpm.find('/'));
      chmod(std::filesystem::path(socket).parent_path().c_str(), 0755);
      chmod(socket.c_str(), 0666);
    }
  }
  ~Attested() {
    service.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  void start() {
    std::vector<std::string> arguments = {"--socket", folder + "/attester.sock", "--variant", variant_name(machine.variant),
                                          "--cluster-register", machine.paths.cluster_register};
    for (std::string& argument : platform_arguments(machine.paths)) arguments.push_back(std::move(argument));
    service.reset();
    service = std::make_unique<Service>("cstl-attester", arguments, folder + "/log" + std::to_string(++starts));
  }

  // As the verificationservice's user, which the attester admits; a thread alone changes.
  Result<EvidenceList> quote(const std::vector<Binding>& bindings) {
    Result<EvidenceList> out = fail(Code::internal, "test");
    std::thread asking([&] {
      REQUIRE(syscall(SYS_setresgid, -1, kVerificationserviceUid, -1) == 0);
      REQUIRE(syscall(SYS_setresuid, -1, kVerificationserviceUid, -1) == 0);
      auto attester = SocketAttester::create(folder + "/attester.sock", 5000);
      if (!attester.ok()) out = attester.error();
      else out = (*attester)->quote(bindings);
    });
    asking.join();
    return out;
  }

  Verdict judge(Bytes evidence, const Binding& binding, ClusterRule rule) {
    ReferenceValues values;
    values.sets = {machine.set};
    AppraisalPolicy policy;
    policy.values = &values;
    policy.cluster = rule;
    policy.now = machine.now();
    return appraise(evidence, *binding.digest(), policy);
  }

  CloudMachine machine;
  std::string folder;
  std::unique_ptr<Service> service;
  int starts = 0;
};

std::string status_line(pid_t pid, const std::string& key) {
  auto text = read_file(("/proc/" + std::to_string(pid) + "/status").c_str(), 64 * 1024);
  if (!text.ok()) return "";
  const std::string all = "\n" + std::string(Bytes(*text).text());
  const size_t at = all.find("\n" + key + ":\t");
  if (at == std::string::npos) return "";
  const size_t start = at + key.size() + 3;
  return all.substr(start, all.find('\n', start) - start);
}

// The child of that name.
pid_t child_of(pid_t parent, const std::string& name) {
  const std::string id = std::to_string(parent);
  auto text = read_file(("/proc/" + id + "/task/" + id + "/children").c_str(), 4096);
  if (!text.ok()) return 0;
  const std::string list(Bytes(*text).text());
  for (size_t at = 0; at < list.size(); at = list.find(' ', at) + 1) {
    const pid_t pid = static_cast<pid_t>(std::atol(list.c_str() + at));
    if (status_line(pid, "Name") == name) return pid;
    if (list.find(' ', at) == std::string::npos) break;
  }
  return 0;
}

bool has_device(Variant variant) {
  return variant == Variant::qemu_tdx || variant == Variant::aws_sev_snp || variant == Variant::gcp_sev_snp ||
         variant == Variant::sev_snp || variant == Variant::tdx;
}

TEST_CASE("attester: a machine of every variant attests, confined, and its evidence passes") {
  for (Variant variant : kEvery) {
    CAPTURE(std::string(variant_name(variant)));
    Attested one(variant);
    one.start();
    CHECK((child_of(one.service->pid(), "cstl-tsm") != 0) == has_device(variant));
    for (uint8_t round = 0; round < 3; ++round) {
      const std::vector<Binding> sessions = {{TlsSide::server, Digest32{round}}, {TlsSide::server, Digest32{9, round}}};
      auto evidence = one.quote(sessions);
      INFO(one.service->log());
      INFO(describe(evidence.error()));
      REQUIRE(evidence.ok());
      REQUIRE(evidence->size() == sessions.size());
      for (size_t i = 0; i < sessions.size(); ++i) {
        Verdict verdict = one.judge((*evidence)[i], sessions[i], ClusterRule::outside);
        INFO(verdict.to_text());
        CHECK(std::string(code_name(verdict.code)) == "ok");
        CHECK(verdict.variant == variant);
        CHECK(one.judge((*evidence)[i], {TlsSide::server, Digest32{77}}, ClusterRule::outside).passed() == false);
      }
    }
  }
}

TEST_CASE("attester: on sev-snp it says which cluster the machine had entered when it started") {
  Attested one(Variant::sev_snp);
  REQUIRE(one.machine.open().ok());
  REQUIRE(one.machine.platform->enter_cluster(Digest32{0xc1}).ok());
  one.start();
  const Binding session{TlsSide::server, Digest32{1}};
  auto evidence = one.quote({session});
  REQUIRE(evidence.ok());
  CHECK(one.judge(evidence->front(), session, ClusterRule::inside).passed());
  CHECK(one.judge(evidence->front(), session, ClusterRule::outside).code == Code::pcr_not_zero);
}

TEST_CASE("attester: its broker is confined as a user without rights, and its end is the attester's, which says so") {
  Attested one(Variant::sev_snp);
  one.start();
  const pid_t attester = one.service->pid(), broker = child_of(attester, "cstl-tsm");
  REQUIRE(broker > 0);
  const std::string uid = std::to_string(kAttesterUid), four = uid + "\t" + uid + "\t" + uid + "\t" + uid;
  for (pid_t pid : {attester, broker}) {
    CHECK(status_line(pid, "Uid") == four);
    CHECK(status_line(pid, "Gid") == four);
    CHECK(status_line(pid, "Groups").find_first_not_of(" ") == std::string::npos);
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) CHECK(status_line(pid, set) == "0000000000000000");
    CHECK(status_line(pid, "NoNewPrivs") == "1");
    CHECK(status_line(pid, "Seccomp") == std::to_string(SECCOMP_MODE_FILTER));
  }
  // It holds its end of the pair, nothing of the attester's.
  int descriptors = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(broker) + "/fd")) {
    if (std::stoi(entry.path().filename().string()) > 2) ++descriptors;
  }
  CHECK(descriptors == 1);
  const Binding session{TlsSide::server, Digest32{1}};
  REQUIRE(one.quote({session}).ok());
  REQUIRE(kill(broker, SIGKILL) == 0);
  CHECK(one.service->logs("attester.report_device"));
  const int status = one.service->wait_status();
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 1));
  // Whoever keeps it running starts it again.
  one.start();
  CHECK(one.quote({session}).ok());
}

// Stops where it waits in read(2) for the next request, and is made to call.
TEST_CASE("attester: what its broker may not do is refused or kills it") {
  struct Row {
    const char* name;
    long number;
    std::array<unsigned long, 6> arguments;
    const char* path;
    bool lives;
  };
  const Row rows[] = {
      {"a path that is none of its own", SYS_openat, {kCwd, kPath, O_RDONLY | O_CLOEXEC, 0, 0, 0}, "/etc/passwd", true},
      {"a path to write", SYS_openat, {kCwd, kPath, O_WRONLY | O_CLOEXEC, 0, 0, 0}, "/dev/null", true},
      {"a new file", SYS_openat, {kCwd, kPath, O_WRONLY | O_CREAT | O_CLOEXEC, 0600, 0, 0}, "/tmp/cstl-escaped", false},
      {"execve", SYS_execve, {kPath, 0, 0, 0, 0, 0}, "/bin/sh", false},
      {"a socket", SYS_socket, {AF_INET, SOCK_STREAM, 0, 0, 0, 0}, "", false},
      {"another ioctl", SYS_ioctl, {0, 0x5401, 0, 0, 0, 0}, "", false},
      {"the ioctl for derived keys", SYS_ioctl, {0, 0xc0205301, 0, 0, 0, 0}, "", false},
      {"a removal", SYS_rmdir, {kPath, 0, 0, 0, 0, 0}, "/tmp", false},
      {"a signal", SYS_kill, {1, 0, 0, 0, 0, 0}, "", false},
      {"fork", SYS_clone, {SIGCHLD, 0, 0, 0, 0, 0}, "", false},
  };
  Attested one(Variant::sev_snp);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    one.start();
    const pid_t broker = child_of(one.service->pid(), "cstl-tsm");
    REQUIRE(broker > 0);
    Injected call = inject(broker, row.number, row.arguments, row.path);
    CHECK(call.stopped);
    CHECK(call.alive == row.lives);
    if (row.lives) {
      CHECK(call.result == -EACCES);
      CHECK(one.quote({{TlsSide::server, Digest32{1}}}).ok());
    } else {
      CHECK(call.signal == SIGSYS);
      CHECK(one.service->logs("attester.report_device"));
    }
  }
  CHECK(access("/tmp/cstl-escaped", F_OK) != 0);
}

TEST_CASE("attester: who asks the metadata service may connect, and nothing else") {
  struct Row {
    const char* name;
    long number;
    std::array<long, 4> arguments;
    bool lives;
  };
  const long path = reinterpret_cast<long>("/etc/passwd");
  const Row rows[] = {
      {"a TCP socket", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP, 0}, true},
      {"a unix socket", SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, 0}, false},
      {"a UDP socket", SYS_socket, {AF_INET, SOCK_DGRAM, 0, 0}, false},
      {"a port of its own", SYS_bind, {-1, 0, 0, 0}, false},
      {"a path", SYS_openat, {AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0}, false},
      {"execve", SYS_execve, {path, 0, 0, 0}, false},
      {"fork", SYS_clone, {SIGCHLD, 0, 0, 0}, false},
      {"an ioctl", SYS_ioctl, {0, 0xc0205302, 0, 0}, false},
      {"a signal", SYS_kill, {1, 0, 0, 0}, false},
  };
  const Brokers brokers = platform_brokers(PlatformPaths());
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const pid_t child = fork();
    if (child == 0) {
      if (!brokers.metadata().ok()) _exit(9);
      (void)syscall(row.number, row.arguments[0], row.arguments[1], row.arguments[2], row.arguments[3]);
      (void)syscall(SYS_exit_group, 0);  // _exit() of a sanitizer does more
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (row.lives) CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    else CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS));
  }
}

TEST_CASE("attester: a machine that is told to be what it is not ends before it serves") {
  struct Row {
    Variant is, told;
    Code code;
  };
  const Row rows[] = {
      {Variant::tdx, Variant::sev_snp, Code::tee_missing},          // another provider answers
      {Variant::sev_snp, Variant::qemu_vtpm, Code::tpm_missing},
      {Variant::qemu_vtpm, Variant::azure_trustedlaunch, Code::not_found},
      {Variant::qemu_vtpm, Variant::gcp_sev_es, Code::not_found},
      {Variant::qemu_vtpm, Variant::azure_sev_snp, Code::not_found},
      {Variant::qemu_vtpm, Variant::aws_sev_snp, Code::tee_missing},
      {Variant::azure_sev_snp, Variant::azure_tdx, Code::tee_missing},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(variant_name(row.told)));
    Attested one(row.is);
    if (!has_tpm(row.is)) one.machine.paths.tpm = one.folder + "/none";
    one.machine.paths.sev_guest = one.folder + "/none";
    PlatformDevices none;
    auto platform = Platform::open(row.told, one.machine.paths, std::move(none));
    const Code code = platform.ok() ? (*platform)->attester().code() : platform.code();
    CHECK(std::string(code_name(code)) == code_name(row.code));
  }
}

}  // namespace
}  // namespace cstl
