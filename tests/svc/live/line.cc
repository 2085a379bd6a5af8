#include "tests/svc/live/line.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "crypto/base/fd.h"
#include "svc/run/lockdown.h"

extern char** environ;

namespace cstl::test {

namespace {
constexpr const char* kImage4 = "image";
constexpr const char* kImage9 = "initrd";

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "line: %s\n", what.c_str());
  std::abort();
}

template <typename T>
T need(Result<T> result, const char* what) {
  if (!result.ok()) give_up(std::string(what) + ": " + code_name(result.code()) + " at " + result.error().site);
  return std::move(*result);
}

void need(Status status, const char* what) {
  if (!status.ok()) give_up(std::string(what) + ": " + code_name(status.code()) + " at " + status.error().site);
}

void give_to(const std::string& path, uid_t uid) {
  if (lchown(path.c_str(), uid, uid) != 0) give_up("chown " + path);
}

uint16_t free_port() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("no free port");
  }
  return ntohs(address.sin_port);
}

ReferenceSet set_of(const std::array<Digest32, kPcrCount>& pcrs, std::vector<std::vector<uint8_t>> roots) {
  ReferenceSet set;
  set.id = "line-1";
  set.not_after = time(nullptr) + 86400;
  set.roles = 1 << static_cast<unsigned>(Role::worker);
  set.ek_roots = std::move(roots);
  for (uint8_t index : std::initializer_list<uint8_t>{4, 9, 11, 12}) {
    PcrReference pcr;
    pcr.index = index;
    pcr.component = index == 9 ? "initrd" : "";
    pcr.expected.push_back(pcrs[index]);
    set.pcrs.push_back(pcr);
  }
  return set;
}
}  // namespace

std::string programs() {
  const char* folder = std::getenv("CSTL_PROGRAMS");
  return folder != nullptr ? folder : "build/release";
}

std::vector<std::string> monitored(std::vector<std::string> arguments, unsigned port) {
  const bool fixed = std::getenv("CSTL_SERVICE_PORTS") != nullptr;
  for (const std::string& word : {std::string("--metrics"), "127.0.0.1:" + std::to_string(fixed ? port : 0),
                                  std::string("--log"), std::string(fixed ? "json" : "logfmt")}) {
    arguments.push_back(word);
  }
  return arguments;
}

Service::Service(const std::string& program, std::vector<std::string> arguments, std::string log) : log_(std::move(log)) {
  std::string path = programs() + "/" + program;
  if (access(path.c_str(), X_OK) != 0) give_up(path + " is missing: build it, or set CSTL_PROGRAMS");
  arguments.insert(arguments.begin(), path);
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv.data(), environ) != 0) give_up("spawn " + path);
  posix_spawn_file_actions_destroy(&actions);
  if (!logs("service.ready")) give_up(program + " does not start:\n" + this->log());
}

Service::~Service() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string Service::log() const {
  auto text = read_file(log_.c_str(), 1 << 20);
  return text.ok() ? std::string(Bytes(*text).text()) : "";
}

bool Service::logs(const std::string& text) const {
  for (int i = 0; i < 500; ++i) {
    if (log().find(text) != std::string::npos) return true;
    usleep(10'000);
  }
  return false;
}

int Service::wait_status() {
  for (int i = 0; i < 500; ++i) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return status;
    }
    usleep(10'000);
  }
  return -1;
}

Machine::Machine(const std::string& pcr4, const std::string& pcr9) : tpm(Swtpm::start()) {
  device = need(tpm::Device::open(tpm->device()), "device");
  need(device->pcr_event(4, pcr4), "pcr 4");
  need(device->pcr_event(9, pcr9), "pcr 9");
  issuer = need(tpm::Issuer::create(*device, tpm::IssueConfig{Variant::qemu_vtpm, ""}), "issuer");
  batch = std::make_unique<QuoteBatch>(*issuer);
  identity = need(TlsIdentity::create(), "identity");
  std::string problem;
  accepted = need(accepted_from_joinservice(*issuer, "/nonexistent", time(nullptr), &problem), "accepted");
}

std::array<Digest32, kPcrCount> Machine::pcrs() { return need(device->read_pcrs(), "pcrs"); }

void Machine::release_tpm() {
  batch.reset();
  issuer.reset();
  device.reset();
}

JoinParty Machine::party() {
  JoinParty party;
  party.identity = identity.get();
  party.attester = batch.get();
  party.accepted = &accepted;
  party.now = time(nullptr);
  return party;
}

Line& Line::get() {
  static std::unique_ptr<Line> line = std::make_unique<Line>();
  return *line;
}

Line::Line()
    : control_plane(kImage4, kImage9), verified(kImage4, kImage9), worker(kImage4, kImage9),
      other_image(kImage4, "another initrd"), other_worker(kImage4, kImage9) {
  char pattern[] = "/tmp/cstl-line-XXXXXX";
  if (geteuid() != 0) give_up("the services start as root");
  if (mkdtemp(pattern) == nullptr) give_up("no temporary folder");
  folder = pattern;
  chmod(folder.c_str(), 0755);

  need(random_bytes(master.key.fill()), "random");
  need(random_bytes(master.salt.fill()), "random");
  need(random_bytes(salt), "random");
  owner = need(SigningKey::generate(), "owner").point();
  Key32 measurement = need(derive_key(master, KeyClass::cluster_measurement, ""), "key");
  cluster_id = need(derive_cluster_id(measurement, salt), "cluster id");
  for (Machine* machine : {&control_plane, &verified}) {
    need(machine->device->pcr_event(15, cluster_id), "pcr 15");
    machine->release_tpm();
  }

  SecretBuffer secret(64);
  Writer w(secret.space());
  w.bytes(master.key.declassify());
  w.bytes(master.salt.declassify());
  need(write_file_durably((folder + "/master").c_str(), secret.declassify()), "master");
  give_to(folder + "/master", kKeyserviceUid);
  std::string store = folder + "/store";
  need(make_folders(store), "store");
  need(write_file_durably((store + "/owner.key").c_str(), owner), "owner.key");
  references.sets.push_back(set_of(worker.pcrs(), {worker.tpm->root(), other_image.tpm->root(), other_worker.tpm->root()}));
  need(write_file_durably((store + "/reference-values.json").c_str(), references.to_json()), "references");
  for (const char* name : {"", "/owner.key", "/reference-values.json"}) give_to(store + name, kJoinserviceUid);
  join_endpoint = need(parse_endpoint("127.0.0.1:" + std::to_string(free_port())), "endpoint");
  verify_endpoint = need(parse_endpoint("127.0.0.1:" + std::to_string(free_port())), "endpoint");
  start_services();
}

void Line::start_services() {
  keyservice.reset();
  joinservice.reset();
  verificationservice.reset();
  attester.reset();
  other_attester.reset();
  // A killed attester leaves its key in the software TPM; in a machine the kernel's resource manager forgets it.
  for (Machine* machine : {&control_plane, &verified}) {
    if (!run({"tpm2_flushcontext", "-T", machine->tpm->device(), "-t"}, folder + "/flush.log")) give_up("tpm2_flushcontext");
  }
  for (const char* name : {"attester", "keyservice", "joinservice", "other_attester", "verificationservice"}) {
    (void)unlink((folder + "/" + name + ".log").c_str());  // a log per start
  }
  std::string socket = folder + "/keys.sock";
  auto attester_of = [&](Machine& machine, const std::string& name) {
    return std::make_unique<Service>(
        "cstl-attester",
        monitored({"--socket", folder + "/" + name + ".sock", "--tpm", "unix:" + machine.tpm->folder() + "/tpm", "--event-log", ""},
                  9194),
        folder + "/" + name + ".log");
  };
  attester = attester_of(control_plane, "attester");
  other_attester = attester_of(verified, "other_attester");
  keyservice = std::make_unique<Service>("cstl-keyservice", monitored({"--master", folder + "/master", "--socket", socket}, 9192),
                                         folder + "/keyservice.log");
  joinservice = std::make_unique<Service>(
      "cstl-joinservice",
      monitored({"--listen", endpoint_text(join_endpoint), "--store", folder + "/store", "--salt", to_hex(salt), "--keyservice",
                 socket, "--attester", folder + "/attester.sock"}, 9190),
      folder + "/joinservice.log");
  verificationservice = std::make_unique<Service>(
      "cstl-verificationservice",
      monitored({"--listen", endpoint_text(verify_endpoint), "--cluster-id", to_hex(cluster_id), "--role", "worker", "--name",
                 "worker-7", "--attester", folder + "/other_attester.sock"}, 9191),
      folder + "/verificationservice.log");
}

Line::~Line() {
  for (auto* service : {&keyservice, &joinservice, &verificationservice, &attester, &other_attester}) service->reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

}  // namespace cstl::test
