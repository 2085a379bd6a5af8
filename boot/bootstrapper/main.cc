// cstl-bootstrapper: brings a machine into its cluster and keeps the services of its role running. Started by cstl-init
// once the state disk is mounted. Every failure is a line with step, code and advice on standard error, which is the console.
#include <csignal>
#include <cstdio>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "attest/tpm/issue.h"
#include "boot/bootstrapper/bootstrap.h"
#include "crypto/base/log.h"

namespace cstl {
namespace {

struct Machine {
  std::unique_ptr<tpm::Device> device;
  std::unique_ptr<tpm::Issuer> issuer;
  std::unique_ptr<TlsIdentity> identity;
};

// A machine that took the node lock, or found it taken, is of no use before it rebooted.
void ask_for_reboot(const Settings& settings, Monitor& monitor) {
  log_warning("bootstrap.reboot", {{"in_ms", int64_t{settings.reboot_delay_ms}}});
  usleep(static_cast<useconds_t>(settings.reboot_delay_ms) * 1000);
  Status asked = monitor.power(PowerAction::reboot);
  if (!asked.ok()) log_error("bootstrap.reboot", asked.error());
}

Result<NodeState> enter_or_resume(const Settings& settings, Monitor& monitor) {
  NodeLock lock(settings.places.lock_marker());
  TRY(prepare_socket_folder(settings.places));
  if (Status marker = lock.check_marker(); !marker.ok()) {
    log_error("bootstrap.lock", marker.error());
    ask_for_reboot(settings, monitor);
    return marker.error();
  }
  Machine machine;
  TRY_LET(machine.device, tpm::Device::open(settings.services.tpm));

  std::string problem;
  auto node = NodeState::load(settings.places.node_state().c_str(), &problem);
  if (node) {
    TRY(check_entered(*machine.device, node->cluster_id));
    log_info("bootstrap.sealed", {{"cluster", to_hex(node->cluster_id)}, {"name", node->name}});
    return node;
  }
  if (node.code() != Code::not_found) {
    log_error("bootstrap.node_state", node.error(), {{"problem", problem}});
    return node.error();
  }

  auto metadata = FwCfgMetadata(settings.metadata).read(&problem);
  if (!metadata) {
    log_error("bootstrap.metadata", metadata.error(), {{"problem", problem}});
    return metadata.error();
  }
  TRY_LET(auto pcrs, machine.device->read_pcrs());
  if (!equal(pcrs[kClusterPcr], Digest32{})) {
    log_error("bootstrap.pcr", fail(Code::pcr_not_zero, "bootstrap.pcr"));
    ask_for_reboot(settings, monitor);
    return fail(Code::pcr_not_zero, "bootstrap.pcr");
  }
  tpm::IssueConfig issue;
  issue.variant = metadata->variant;
  issue.event_log = settings.services.event_log;
  TRY_LET(machine.issuer, tpm::Issuer::create(*machine.device, issue));
  TRY_LET(machine.identity, TlsIdentity::create());
  QuoteBatch batch(*machine.issuer);
  Bootstrap bootstrap(settings, *metadata, *machine.device, batch, *machine.identity, monitor, lock);
  auto entered = bootstrap.run();
  if (!entered && lock.taken()) ask_for_reboot(settings, monitor);
  return entered;
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
  for (Program& program : services_of(node, settings.places, settings.services)) supervisor.keep(std::move(program));
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
