// cstl-init: PID 1 of the initramfs. docs/boot.md tells a node's life from here.
//
// Every step either succeeds or ends the boot: step, code and advice go to the console, and the machine reboots after
// cstl.failure_delay seconds. There is no shell, no fallback, and main() never returns.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <new>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/platform/platform.h"
#include "crypto/base/log.h"
#include "crypto/hash.h"
#include "initrd/cgroups.h"
#include "initrd/cmdline.h"
#include "initrd/devices.h"
#include "initrd/modules.h"
#include "initrd/mounts.h"
#include "initrd/network.h"
#include "initrd/places.h"
#include "initrd/root.h"
#include "initrd/statedisk.h"
#include "initrd/supervise.h"
#include "initrd/sysctl.h"
#include "initrd/unlock.h"
#include "initrd/verity.h"

namespace cstl {
namespace {

constexpr int kTpmWaitMs = 15000;

struct Boot {
  CommandLine options;
  Metadata metadata;
  bool in_root = false;  // after the switch of root
  std::optional<StateDisk> disk;
};

// A console even if the kernel could not open one, so that no later descriptor becomes 0, 1 or 2.
void open_standard_descriptors() {
  for (int fd = 0; fd < 3;) {
    fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0) fd = open("/dev/null", O_RDWR);
    if (fd < 0) return;
    if (fd >= 3) (void)close(fd);
  }
}

Status prepare(Boot& boot) {
  TRY(mount_early());
  open_standard_descriptors();
  TRY(make_run_folders());
  (void)reboot(RB_DISABLE_CAD);  // Ctrl-Alt-Del then sends SIGINT, which PID 1 ignores
  TRY(forbid_dumps());
  TRY_LET(const auto text, read_file("/proc/cmdline", kMaxCommandLine));
  TRY_LET(boot.options, parse_command_line(Bytes(text).text()));
  return success();
}

void module_refused(const std::string& path, const Error& error) {
  log_error("module.refused", error, {{"module", path}});
}

Status load_drivers(Boot&) {
  TRY_LET(const ModuleCount count, load_modules(kModuleList, module_refused));
  mount_configfs();
  log_info("modules.loaded", {{"loaded", int64_t{count.loaded}}, {"not_needed", int64_t{count.absent}}});
  start_luks();
  return crypto_start();
}

Status read_metadata(Boot& boot) {
  std::string problem;
  auto metadata = FwCfgMetadata().read(&problem);
  if (!metadata) {
    log_warning("metadata.refused", {{"problem", problem}});
    return metadata.error();
  }
  boot.metadata = std::move(*metadata);
  if (sethostname(boot.metadata.name.data(), boot.metadata.name.size()) != 0) return fail_errno("metadata.hostname");
  log_info("metadata.read", {{"name", boot.metadata.name}, {"role", role_name(boot.metadata.role)},
                             {"variant", variant_name(boot.metadata.variant)}});
  return success();
}

Status start_network(Boot& boot) {
  TRY_LET(const std::string interface, configure_network(boot.metadata));
  log_info("network.up", {{"interface", interface}, {"address", ip_text(boot.metadata.address.address)}});
  return success();
}

Status find_tpm(Boot& boot) {
  if (!has_tpm(boot.metadata.variant)) return success();
  return wait_for_node(kTpmDevice, kTpmWaitMs, Code::tpm_missing);
}

Status open_root(Boot& boot) {
  if (!boot.options.roothash) return success();
  TRY(mount_verity_root(*boot.options.roothash));
  log_info("root.mounted", {{"roothash", to_hex(*boot.options.roothash)}});
  return success();
}

// The last thing that the initramfs is for was to unlock the state disk.
Status choose_programs(Boot& boot) {
  if (!boot.options.roothash) return success();
  boot.in_root = root_has_programs();
  if (boot.in_root) TRY(switch_root());
  log_info("programs.chosen", {{"from", boot.in_root ? "root" : "initramfs"}});
  return success();
}

Status prepare_node(Boot& boot) {
  if (!boot.in_root) return success();
  TRY_LET(const std::string controllers, mount_cgroups());
  TRY(mount_places());
  TRY(write_names(boot.metadata, boot.disk->uuid()));
  TRY_LET(const ModuleCount count, load_modules(kNodeModuleList, module_refused));
  apply_sysctls("/proc/sys", [](const char* name, const Error& error) {
    log_error("sysctl.refused", error, {{"name", name}});
  });
  TRY(share_mounts());
  log_info("node.prepared", {{"modules", int64_t{count.loaded}}, {"cgroup_controllers", controllers}});
  return success();
}

Status find_disk(Boot& boot) {
  TRY_LET(const std::string device, wait_for_block_device(kStateDisk, kDeviceWaitMs));
  std::string found;
  auto disk = StateDisk::open(device, &found);
  if (!disk) {
    log_warning("disk.refused", {{"device", device}, {"holds", found.empty() ? "something that is not ours" : found}});
    return disk.error();
  }
  boot.disk.emplace(std::move(*disk));
  constexpr const char* kStates[] = {"blank", "fresh", "sealed"};
  log_info("disk.found", {{"device", device}, {"state", kStates[static_cast<int>(boot.disk->state())]}});
  return success();
}

// Extends the cluster's register with the clusterID: from here on the machine is inside, and says so to everyone.
// `variant` is the disk's: its services will show the same register.
Status enter_cluster(Variant variant, const Digest32& cluster_id) {
  TRY_LET(const auto platform, Platform::open(variant, PlatformPaths()));
  return platform->enter_cluster(cluster_id);
}

Status unlock_disk(Boot& boot) {
  StateDisk& disk = *boot.disk;
  log_info("disk.locked", {{"disk", uuid_text(disk.uuid())}, {"waiting_for", "a rejoin ticket or cstl recover"}});
  TRY_LET(UnlockRace race, UnlockRace::start(boot.metadata, disk.uuid(), disk.owner_key()));
  while (true) {
    TRY_LET(const UnlockOffer offer, race.wait());
    auto node = disk.unlock(offer.disk_key, offer.measurement_key);
    race.answer(offer, node.code());
    if (node.ok()) {
      log_info("disk.unlocked", {{"disk", uuid_text(disk.uuid())}, {"cluster", to_hex(node->cluster_id)}});
      return enter_cluster(node->variant, node->cluster_id);
    }
    log_error("disk.still_locked", node.error());
  }
}

Status mount_disk(Boot& boot) {
  if (boot.disk->state() == DiskState::sealed) return unlock_disk(boot);
  const int64_t start = monotonic_ms();
  TRY(boot.disk->format());
  const int64_t formatted = monotonic_ms();
  log_info("disk.formatted", {{"disk", uuid_text(boot.disk->uuid())}, {"milliseconds", formatted - start}});
  TRY(boot.disk->populate());
  log_info("disk.populated", {{"milliseconds", monotonic_ms() - formatted}});
  return success();
}

// A counter that outlives every boot of this disk, and only this disk.
Result<std::string> next_boot_count() {
  constexpr const char* kPath = "/run/cstl/state/boots";
  uint64_t boots = 0;
  auto stored = read_file(kPath, 20);
  if (!stored.ok() && stored.code() != Code::not_found) return stored.error();
  if (stored.ok()) {
    const std::string text(Bytes(*stored).text());
    boots = std::strtoull(text.c_str(), nullptr, 10);
  }
  const std::string next = std::to_string(boots + 1);
  TRY(write_file_durably(kPath, next));
  return next;
}

// A full disk must not keep the machine from serving: the count is for people.
Status count_boot(Boot&) {
  const auto boots = next_boot_count();
  if (!boots.ok()) log_error("state.not_counted", boots.error());
  log_info("state.mounted", {{"boots", boots.ok() ? *boots : std::string("unknown")}});
  return success();
}

struct Step {
  const char* name;
  Status (*run)(Boot&);
};

constexpr Step kSteps[] = {
    {"prepare", prepare}, {"modules", load_drivers}, {"metadata", read_metadata}, {"tpm", find_tpm},
    {"network", start_network}, {"root", open_root}, {"disk", find_disk},     {"state", mount_disk},
    {"count", count_boot},      {"programs", choose_programs}, {"node", prepare_node},
};

[[noreturn]] void give_up(const char* step, const Error& error, Boot& boot) {
  log_error("boot.failed", error, {{"step", step}, {"reboot_in_seconds", int64_t{boot.options.failure_delay}}});
  const int64_t end = monotonic_ms() + int64_t{1000} * boot.options.failure_delay;
  while (monotonic_ms() < end) usleep(100 * 1000);
  leave(PowerAction::reboot, boot.disk ? &*boot.disk : nullptr, boot.in_root);
}

[[noreturn]] void run() {
  Boot boot;
  log_info("boot.started");
  for (const Step& step : kSteps) {
    if (const Status status = step.run(boot); !status.ok()) give_up(step.name, status.error(), boot);
  }
  log_info("boot.ready", {{"milliseconds", monotonic_ms()}});
  auto action = supervise(*boot.disk, boot.in_root);
  if (!action) give_up("bootstrapper", action.error(), boot);
  leave(*action, &*boot.disk, boot.in_root);
}

}  // namespace
}  // namespace cstl

int main() {
  cstl::log_as("cstl-init");
  if (getpid() != 1) {
    constexpr char kText[] = "cstl-init is PID 1 of an initramfs and does nothing else\n";
    (void)!write(STDERR_FILENO, kText, sizeof kText - 1);
    return 2;
  }
  std::set_new_handler([] { cstl::trap("init.out_of_memory"); });
  umask(022);
  (void)signal(SIGPIPE, SIG_IGN);
  cstl::run();
}
