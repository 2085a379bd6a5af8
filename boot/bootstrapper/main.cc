// cstl-bootstrapper: brings a machine into its cluster and keeps the services of its role running. Started by cstl-init
// once the state disk is mounted. Every failure is a line with code and advice on standard error, which is the console.
// What stays root here and why: boot/bootstrapper/waiter.h.
#include <csignal>
#include <cstdio>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot/bootstrapper/kubernetes.h"
#include "boot/bootstrapper/waiter.h"
#include "crypto/base/log.h"
#include "svc/run/platform_brokers.h"

namespace cstl {
namespace {

constexpr int kWaiterEndsMs = 10000;  // after the outcome: its last message to the client

// A machine that took the node lock, or found it taken, is of no use before it rebooted.
void ask_for_reboot(const Settings& settings, Monitor& monitor) {
  log_warning("bootstrap.reboot", {{"in_ms", int64_t{settings.reboot_delay_ms}}});
  usleep(static_cast<useconds_t>(settings.reboot_delay_ms) * 1000);
  Status asked = monitor.power(PowerAction::reboot);
  if (!asked.ok()) return log_error("bootstrap.reboot", asked.error());
  sleep(1);  // the end of this process would be taken for its failure
}

// Waits for the end of the waiter; what it was still saying is cut off after a while.
void reap_waiter(pid_t pid, int parent_end) {
  pollfd closed{parent_end, POLLIN, 0};
  if (poll(&closed, 1, kWaiterEndsMs) <= 0) kill(pid, SIGKILL);
  int status = 0;
  if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status)) {
    log_warning("waiter.killed", {{"signal", int64_t{WTERMSIG(status)}}});
  }
}

Result<NodeState> enter(const Admission& admission, const Metadata& metadata, const Settings& settings,
                        const NodeKeys* keys, Monitor& monitor, int waiter) {
  NodeLock lock(settings.places.lock_marker());
  std::string step = "opening the platform's devices";
  const kubernetes::Report report = report_to(waiter, &step);
  auto entered = [&]() -> Result<SecretBuffer> {
    PlatformDevices devices;  // reports are made here; what a metadata service says is read elsewhere
    devices.brokers.metadata = platform_brokers(settings.services.platform).metadata;
    TRY_LET(auto platform, Platform::open(admission.node.variant, settings.services.platform, std::move(devices)));
    if (admission.node.kubernetes) {
      return enter_kubernetes(admission, metadata, settings, keys, lock, *platform, monitor, report,
                              [waiter] { return ask_for_client(waiter); });
    }
    TRY(enter_cluster(admission, settings.places, lock, *platform, monitor, report.step));
    return SecretBuffer(0);
  }();
  if (entered.ok()) {
    log_info("bootstrap.entered", {{"cluster", to_hex(admission.node.cluster_id)}, {"role", role_name(admission.node.role)},
                                   {"kubernetes", admission.node.kubernetes ? "yes" : "no"}});
    News news{News::Kind::entered, Code::ok, std::string(entered->declassify().text())};
    (void)give_news(waiter, news);
    wipe(MutBytes(reinterpret_cast<uint8_t*>(news.text.data()), news.text.size()));
    return admission.node;
  }
  log_error("bootstrap.failed", entered.error(), {{"step", step}});
  (void)give_news(waiter, News{News::Kind::failed, entered.error().code, step + ": " + describe(entered.error())});
  if (lock.taken()) ask_for_reboot(settings, monitor);
  return entered.error();
}

Result<NodeState> enter_from_waiter(const Settings& settings, const Metadata& metadata, Monitor& monitor) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail_errno("bootstrap.pair");
  Fd ours(pair[0]), theirs(pair[1]);
  TRY_LET(std::optional<NodeKeys> keys, NodeKeys::make(metadata));
  pid_t pid = fork();
  if (pid < 0) return fail_errno("bootstrap.fork");
  if (pid == 0) {
    monitor = Monitor(Fd());
    ours = Fd();
    const NodeOffer offer = keys ? keys->offer : NodeOffer();
    keys.reset();  // wiped: who talks to the network has no private key
    Status waited = run_waiter(settings, metadata, offer, std::move(theirs));
    if (!waited.ok() && waited.code() != Code::closed) log_error("waiter.ended", waited.error());
    _exit(waited.ok() ? 0 : 1);
  }
  theirs = Fd();
  std::optional<Admission> taken;
  auto entered = [&]() -> Result<NodeState> {
    auto admission = take_admission(ours.get());
    if (!admission) return admission.code() == Code::closed ? fail(Code::child_failed, "bootstrap.waiter") : admission.error();
    if (admission->node.role != metadata.role || admission->node.name != metadata.name ||
        admission->node.variant != metadata.variant) {
      return fail(Code::mismatch, "bootstrap.admission");
    }
    taken = std::move(*admission);
    return enter(*taken, metadata, settings, keys ? &*keys : nullptr, monitor, ours.get());
  }();
  reap_waiter(pid, ours.get());
  if (entered.ok() && entered->kubernetes) TRY(finish_kubernetes(*entered, settings, &*taken, monitor));
  return entered;
}

Result<NodeState> enter_or_resume(const Settings& settings, Monitor& monitor) {
  TRY(prepare_socket_folders(settings.places));
  if (Status marker = NodeLock(settings.places.lock_marker()).check_marker(); !marker.ok()) {
    log_error("bootstrap.lock", marker.error());
    ask_for_reboot(settings, monitor);
    return marker.error();
  }
  std::string problem;
  auto node = NodeState::load(settings.places.node_state().c_str(), &problem);
  if (!node && node.code() != Code::not_found) {
    log_error("bootstrap.node_state", node.error(), {{"problem", problem}});
    return node.error();
  }
  if (node) {
    TRY_LET(auto platform, Platform::open(node->variant, settings.services.platform));
    TRY(check_entered(*platform, node->cluster_id));
    log_info("bootstrap.sealed", {{"cluster", to_hex(node->cluster_id)}, {"name", node->name}});
    platform.reset();
    if (node->kubernetes) TRY(finish_kubernetes(*node, settings, nullptr, monitor));
    return node;
  }
  auto metadata = FwCfgMetadata(settings.metadata).read(&problem);
  if (!metadata) {
    log_error("bootstrap.metadata", metadata.error(), {{"problem", problem}});
    return metadata.error();
  }
  TRY_LET(auto platform, Platform::open(metadata->variant, settings.services.platform));
  TRY_LET(bool inside, platform->in_cluster());
  platform.reset();
  if (inside) {
    log_error("bootstrap.pcr", fail(Code::pcr_not_zero, "bootstrap.pcr"));
    ask_for_reboot(settings, monitor);
    return fail(Code::pcr_not_zero, "bootstrap.pcr");
  }
  return enter_from_waiter(settings, *metadata, monitor);
}

int keep_services(const NodeState& node, const Settings& settings) {
  Loop loop;
  Supervisor supervisor(loop);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  Fd terminate(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  loop.watch(terminate.get(), POLLIN, [&loop](short) { loop.stop(); });
  for (Program& program : services_of(node, settings.places, settings.services)) {
    // With Kubernetes the others are pods (policy/kubernetes); what holds the TPM stays outside.
    if (!node.kubernetes || program.name == "attester") supervisor.keep(std::move(program));
  }
  Status ended = loop.run();
  if (!ended.ok()) log_error("bootstrap.loop", ended.error());
  log_info("bootstrap.stopping");
  supervisor.stop();
  return ended.ok() ? 0 : 1;
}

int run(int argc, char** argv) {
  log_as("cstl-bootstrapper");
  signal(SIGPIPE, SIG_IGN);
  std::string problem;
  auto arguments = Arguments::parse(argc, argv, kBootstrapperOptions, &problem);
  if (arguments && arguments->help()) {
    std::string text = help_text("cstl-bootstrapper", "Brings a machine into its cluster and runs the services of its role.",
                                 kBootstrapperOptions);
    return fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
  }
  auto settings = arguments ? Settings::from(*arguments, &problem) : Result<Settings>(arguments.error());
  if (!settings) {
    log_error("bootstrap.usage", settings.error(), {{"option", problem}});
    return 2;
  }
  Monitor monitor{Fd(settings->monitor_fd)};
  for (Status status : {forbid_dumps(), crypto_start()}) {
    if (status.ok()) continue;
    log_error("bootstrap.start", status.error());
    return 1;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    log_error("bootstrap.start", fail_errno("bootstrap.no_new_privs"));
    return 1;
  }
  auto node = enter_or_resume(*settings, monitor);
  if (!node) {
    log_error("bootstrap.ended", node.error());
    return 1;
  }
  return keep_services(*node, *settings);
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) { return cstl::run(argc, argv); }
