#include "tests/boot/bootstrapper/machine.h"

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/tpm/device.h"
#include "crypto/base/fd.h"

namespace cstl::test {
namespace {

uint16_t free_port() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) std::abort();
  return ntohs(address.sin_port);
}

std::string loopback(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

// Static release builds: services confine themselves, which sanitizers do not survive.
std::string programs_folder() {
  if (const char* folder = getenv("CSTL_PROGRAMS")) return folder;
  char self[4096];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self);
  std::filesystem::path build = std::filesystem::path(std::string(self, n > 0 ? static_cast<size_t>(n) : 0));
  std::filesystem::path release = build.parent_path().parent_path();  // build/NAME-asan/tests/boot_test
  std::string name = release.filename().string();
  size_t at = name.find("asan");
  if (at != std::string::npos) name.replace(at, 4, name == "asan" ? "release" : "rel");
  return (release.parent_path() / name).string();
}

}  // namespace

Machine::Machine(std::string name, Role role) {
  char pattern[] = "/tmp/cstl-machine-XXXXXX";
  if (mkdtemp(pattern) == nullptr) std::abort();
  signal(SIGPIPE, SIG_IGN);  // its programs are killed while we talk to them
  folder_ = pattern;
  std::filesystem::permissions(folder_, std::filesystem::perms(0755));
  std::filesystem::create_directory(state());
  std::filesystem::create_directory(run());
  swtpm_ = Swtpm::start();
  open_tpm();
  if (!random_bytes(disk).ok()) std::abort();
  init_port = free_port();
  join_port = free_port();
  verify_port = free_port();
  metadata.name = std::move(name);
  metadata.role = role;
  metadata.variant = Variant::qemu_vtpm;
  metadata.address = *parse_prefix("10.0.2.15/24");
}

// tpm2-tss connects to a swtpm anew for each command, the joinservice as a user of its own.
void Machine::open_tpm() {
  if (chmod(swtpm_->folder().c_str(), 0755) != 0 || chmod((swtpm_->folder() + "/tpm").c_str(), 0666) != 0) std::abort();
}

Machine::~Machine() {
  kill_now();
  swtpm_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Machine::start() {
  std::string file = folder_ + "/metadata.json";
  if (!write_file_durably(file.c_str(), metadata.to_json()).ok()) std::abort();
  const std::string image_values = folder_ + "/baked";
  if (!baked.empty() && !write_file_durably(image_values.c_str(), baked).ok()) std::abort();
  std::string program = programs_folder() + "/cstl-bootstrapper";
  REQUIRE_MESSAGE(access(program.c_str(), X_OK) == 0, program << " is missing: build it, or set CSTL_PROGRAMS");
  std::vector<std::string> arguments = {program, "--disk", uuid_text(disk), "--state", state(), "--run", run(),
      "--monitor-fd", "3", "--metadata", file, "--baked-reference-values", image_values, "--init-listen",
      loopback(init_port), "--join-listen", loopback(join_port), "--verify-listen", loopback(verify_port), "--metrics", "", "--programs",
      programs_folder(), "--tpm", tpm(), "--event-log", "", "--reboot-delay-ms", "100"};
  arguments.insert(arguments.end(), platform.begin(), platform.end());
  int monitor[2], output[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor) != 0 || pipe2(output, O_CLOEXEC) != 0) std::abort();
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  log_.clear();
  log_ended_ = false;
  status_.reset();
  power_.reset();
  pid_ = fork();
  if (pid_ == 0) {
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int to = fcntl(monitor[1], F_DUPFD, 10), out = fcntl(output[1], F_DUPFD, 10);
    if (dup2(to, 3) < 0 || dup2(out, 2) < 0 || dup2(out, 1) < 0) _exit(126);
    close(to);
    close(out);
    execv(argv[0], argv.data());
    _exit(127);
  }
  setpgid(pid_, pid_);
  close(monitor[1]);
  close(output[1]);
  monitor_ = std::thread([this, fd = monitor[0]] { serve_monitor(fd); });
  reader_ = std::thread([this, fd = output[0]] { read_log(fd); });
}

void Machine::read_log(int fd) {
  Fd owned(fd);
  char chunk[4096];
  for (;;) {
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    std::lock_guard<std::mutex> hold(mutex_);
    if (n <= 0) {
      log_ended_ = true;
      changed_.notify_all();
      return;
    }
    log_.append(chunk, static_cast<size_t>(n));
    changed_.notify_all();
  }
}

void Machine::serve_monitor(int fd) {
  Fd owned(fd);
  for (;;) {
    auto frame = receive_frame(fd, 3600 * 1000);
    if (!frame) return;
    std::lock_guard<std::mutex> hold(mutex_);
    if (frame->type == FrameType::power_request) {
      auto request = PowerRequest::decode(frame->body.declassify());
      if (request) power_ = request->action;
      changed_.notify_all();
      continue;
    }
    auto request = RekeyRequest::decode(frame->body.declassify());
    if (!request || frame->type != FrameType::rekey_request) return;
    if (rekey_answer == RekeyAnswer::done || rekey_answer == RekeyAnswer::do_but_stay_silent) rekey_ = std::move(*request);
    changed_.notify_all();
    if (rekey_answer == RekeyAnswer::done) (void)send_frame(fd, FrameType::rekey_done, Bytes(), 1000);  // it may be dead
    if (rekey_answer == RekeyAnswer::refuse) {
      uint8_t space[64];
      ErrorMessage error;
      error.code = static_cast<uint16_t>(Code::disk_failed);
      auto body = error.encode(MutBytes(space, sizeof space));
      if (body) (void)send_frame(fd, FrameType::error, *body, 1000);
    }
  }
}

void Machine::kill_now() {
  if (pid_ > 0) {
    kill(-pid_, SIGKILL);
    if (!status_) {
      int status = 0;
      waitpid(pid_, &status, 0);
    }
  }
  pid_ = -1;
  if (reader_.joinable()) reader_.join();
  if (monitor_.joinable()) monitor_.join();
}

bool Machine::wait_for_log(const std::string& text, int seconds) {
  std::unique_lock<std::mutex> hold(mutex_);
  return changed_.wait_for(hold, std::chrono::seconds(seconds),
                           [&] { return log_.find(text) != std::string::npos || log_ended_; }) &&
         log_.find(text) != std::string::npos;
}

bool Machine::kill_at(const std::string& text) {
  bool seen = wait_for_log(text);
  kill_now();
  return seen;
}

std::optional<int> Machine::wait_for_exit(int seconds) {
  for (int64_t end = monotonic_ms() + seconds * 1000; !status_ && monotonic_ms() < end; usleep(10000)) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  return status_;
}

void Machine::next_boot() {
  kill_now();
  swtpm_->reset();
  open_tpm();
  std::filesystem::remove_all(run());
  std::filesystem::create_directory(run());
  rekey_answer = RekeyAnswer::done;
  if (!rekey_) {
    std::filesystem::remove_all(state());
    std::filesystem::create_directory(state());
  }
}

std::string Machine::waiter_status() {
  std::string pid = std::to_string(pid_);
  auto children = read_file(("/proc/" + pid + "/task/" + pid + "/children").c_str(), 4096);
  REQUIRE(children.ok());
  std::string child(Bytes(*children).text());
  while (!child.empty() && (child.back() == ' ' || child.back() == '\n')) child.pop_back();
  auto status = read_file(("/proc/" + child + "/status").c_str(), 65536);
  REQUIRE_MESSAGE(status.ok(), child);
  return std::string(Bytes(*status).text());
}

std::string Machine::log() {
  std::lock_guard<std::mutex> hold(mutex_);
  return log_;
}

std::array<Digest32, kPcrCount> Machine::pcrs() {
  auto device = tpm::Device::open(tpm());
  REQUIRE(device.ok());
  auto pcrs = (*device)->read_pcrs();
  REQUIRE(pcrs.ok());
  return *pcrs;
}

void Machine::extend_pcr(uint32_t index, Bytes data) {
  auto device = tpm::Device::open(tpm());
  REQUIRE(device.ok());
  CHECK((*device)->pcr_event(index, data).ok());
}

std::optional<RekeyRequest> Machine::rekeyed() {
  std::lock_guard<std::mutex> hold(mutex_);
  if (!rekey_) return std::nullopt;
  RekeyRequest copy;
  copy.disk_key = rekey_->disk_key.clone();
  copy.owner_key = rekey_->owner_key;
  return copy;
}

std::optional<PowerAction> Machine::power_asked(int seconds) {
  std::unique_lock<std::mutex> hold(mutex_);
  changed_.wait_for(hold, std::chrono::seconds(seconds), [&] { return power_.has_value(); });
  return power_;
}

std::string reference_values_of(const std::array<Digest32, kPcrCount>& pcrs) {
  ReferenceSet set;
  set.id = "test-1";
  set.not_before = 1600000000;
  set.not_after = 4000000000;
  set.roles = (1 << static_cast<unsigned>(Role::control_plane)) | (1 << static_cast<unsigned>(Role::worker));
  set.allow_unendorsed_ak = true;
  for (uint8_t index : {uint8_t{4}, uint8_t{9}, uint8_t{11}, uint8_t{12}}) {
    PcrReference pcr;
    pcr.index = index;
    pcr.expected = {pcrs[index]};
    set.pcrs.push_back(std::move(pcr));
  }
  ReferenceValues values;
  values.sets.push_back(std::move(set));
  return values.to_json();
}

Owner::Owner() : key(std::move(*SigningKey::generate())) {
  REQUIRE(random_bytes(init_secret.fill()).ok());
  REQUIRE(random_bytes(request.master.key.fill()).ok());
  REQUIRE(random_bytes(request.master.salt.fill()).ok());
  REQUIRE(random_bytes(request.measurement_salt).ok());
  request.owner_key = key.point();
  auto measurement = derive_key(request.master, KeyClass::cluster_measurement, "");
  REQUIRE(measurement.ok());
  auto id = derive_cluster_id(*measurement, request.measurement_salt);
  REQUIRE(id.ok());
  cluster_id = *id;
}

Digest32 Owner::init_secret_hash() const { return *sha256({init_secret.declassify()}); }

Owner::Outcome Owner::init(uint16_t port) {
  Outcome out;
  auto failed = [&out](const Error& error, const std::string& text) {
    bool peer = error.code == Code::peer_error || error.code == Code::peer_refused;
    out.code = peer ? code_from_number(static_cast<uint16_t>(error.foreign)) : error.code;
    out.text = text;
    return std::move(out);
  };
  auto identity = TlsIdentity::create();
  if (!identity) return failed(identity.error(), "identity");
  auto fd = connect_tcp(loopback(port), 5000);
  if (!fd) return failed(fd.error(), "connect");
  ReferenceSet set;
  set.id = "any";
  set.not_after = 4000000000;
  set.roles = 6;
  set.allow_unendorsed_ak = true;
  set.pcrs.emplace_back();
  set.pcrs.back().index = 4;
  set.pcrs.back().expected = {Digest32{}};
  if (demand) set = *demand;
  ReferenceValues values;
  values.sets.push_back(set);
  AppraisalPolicy policy;
  policy.values = &values;
  policy.cluster = accept_entered ? ClusterRule::any : ClusterRule::outside;
  policy.now = time(nullptr);
  SessionConfig config;
  config.identity = identity->get();
  config.demand = &policy;
  auto session = Session::create(std::move(*fd), config);
  if (!session) return failed(session.error(), "session");
  if (Status open = drive_to_open(**session, nullptr); !open.ok()) {
    const Verdict* verdict = (*session)->peer_verdict();
    return failed(open.error(), verdict ? verdict->summary() : (*session)->peer_text());
  }
  request.init_secret = init_secret.clone();
  request.reference_values = reference_values;
  auto body = InitRequest::encode(request, key, (*session)->exporter());
  if (!body) return failed(body.error(), "encode");
  if (break_signature) body->space().data()[body->size() - 1] ^= 1;
  if (Status sent = (*session)->send(FrameType::init_request, body->declassify()); !sent.ok()) return failed(sent.error(), "send");
  for (;;) {
    auto frame = drive_to_any_frame(**session);
    if (!frame) return failed(frame.error(), (*session)->peer_text());
    if (frame->type == FrameType::init_progress) {
      auto progress = InitProgress::decode(frame->body.declassify());
      if (progress) out.progress.emplace_back(progress->text.text());
      continue;
    }
    auto response = InitResponse::decode(frame->body.declassify());
    if (!response) return failed(response.error(), "response");
    out.response = *response;
    return out;
  }
}

}  // namespace cstl::test
