#include "boot/kubernetes/node.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "boot/components/components.h"
#include "boot/kubernetes/command.h"
#include "boot/kubernetes/files.h"
#include "boot/kubernetes/kubeadm.h"
#include "boot/kubernetes/profiles.h"
#include "boot/state/block_device.h"
#include "crypto/base/fd.h"

namespace cstl::kubernetes {
namespace {

constexpr const char* kImageFolder = "/usr/share/cstl/images";
constexpr const char* kComponentImages = "/var/lib/cstl/images";
constexpr const char* kImporter = "/usr/lib/cstl/import-images";
constexpr const char* kBundleDisk = "cstl-bundle";  // serial number of the disk, or label of the partition
constexpr const char* kKubeletConfig = "/var/lib/kubelet/config.yaml";
constexpr const char* kKubeletFlags = "/var/lib/kubelet/kubeadm-flags.env";
constexpr const char* kKubeletLog = "/var/log/kubelet.log";
constexpr const char* kContainerdLog = "/var/log/containerd.log";

constexpr int kContainerdMs = 180'000;
constexpr int kImportMs = 15 * 60'000;
constexpr int kKubeadmMs = 25 * 60'000;   // above kubeadm's own limits (boot/kubernetes/kubeadm.cc)
constexpr int kQuietMs = 10'000;          // with nothing to tell, the report says that it goes on
constexpr size_t kToldLines = 12;
constexpr uint64_t kLowSpace = 64 << 20;

std::vector<std::string> entries_of(const char* folder) {
  std::vector<std::string> out;
  DIR* open = opendir(folder);
  if (open == nullptr) return out;
  for (dirent* entry = readdir(open); entry != nullptr; entry = readdir(open)) {
    if (entry->d_name[0] != '.') out.emplace_back(entry->d_name);
  }
  closedir(open);
  std::sort(out.begin(), out.end());
  return out;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool answers(const char* socket_path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
  return fd.valid() && connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

void tell_log(const Report& report, const char* program, const char* path, size_t lines) {
  for (const std::string& line : last_lines(path, lines)) report.line(std::string(program) + ": " + line);
}

// What programs say that failed on a full disk is seldom just that.
Error or_no_space(const Error& error) {
  struct statvfs info {};
  if (statvfs("/var", &info) != 0) return error;
  const bool full = uint64_t{info.f_bavail} * info.f_frsize < kLowSpace || info.f_favail < 100;
  return full ? fail(Code::no_space, error.site) : error;
}

Status import_with(std::vector<std::string> arguments, const Report& report) {
  Command command;
  command.arguments = std::move(arguments);
  command.timeout_ms = kImportMs;
  TRY_LET(CommandEnd end, run_command(command));
  if (end.exit_code == 0) return success();
  for (const std::string& line : end.last) report.line("import: " + line);
  return or_no_space(fail(Code::image_failed, "images.import"));
}

}  // namespace

Status start_containerd(Monitor& monitor, const Report& report) {
  TRY_LET(std::string program, find_program("containerd"));
  TRY(monitor.start("containerd", {program, "--config", "/etc/containerd/config.toml"}));
  for (int64_t end = monotonic_ms() + kContainerdMs; monotonic_ms() < end;) {
    if (answers(kContainerdSocket)) return success();
    usleep(100'000);
  }
  tell_log(report, "containerd", kContainerdLog, kToldLines);
  return or_no_space(fail(Code::containerd_failed, "containerd.socket"));
}

Status import_images(Role role, const Report& report) {
  std::vector<std::string> folders;
  for (const char* set : {"node", "control-plane"}) {
    if (role != Role::control_plane && std::string_view(set) != "node") continue;
    std::string folder = std::string(kImageFolder) + "/" + set;
    if (exists(folder)) folders.push_back(folder);
  }
  if (!folders.empty() && exists(kImporter)) {
    std::vector<std::string> arguments = {kImporter};
    arguments.insert(arguments.end(), folders.begin(), folders.end());
    TRY(import_with(std::move(arguments), report));
  }
  folders.push_back(kComponentImages);
  for (const std::string& folder : folders) {
    for (const std::string& name : entries_of(folder.c_str())) {
      if (!ends_with(name, ".tar")) continue;
      TRY_LET(std::string ctr, find_program("ctr"));
      TRY(import_with({ctr, "-n", "k8s.io", "images", "import", folder + "/" + name}, report));
    }
  }
  return success();
}

Status start_kubelet(Monitor& monitor) {
  TRY_LET(std::string program, find_program("kubelet"));
  TRY(link_profiles(kProfilesOfImage, kProfilesOfKubelet));
  TRY_LET(std::vector<uint8_t> text, read_file(kKubeletFlags, 16 * 1024));
  TRY_LET(std::vector<std::string> flags, parse_kubelet_flags(Bytes(text).text()));
  std::vector<std::string> arguments = {program, "--config=" + std::string(kKubeletConfig),
                                        "--kubeconfig=/etc/kubernetes/kubelet.conf"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return monitor.start("kubelet", std::move(arguments));
}

Status write_common_files(const IpAddress& address) {
  for (const char* folder : {"/etc/kubernetes/manifests", kConfigFolder, kPatchesFolder, kPluginFolder, "/var/log/kubernetes/audit"}) {
    TRY(make_folders(folder, 0700));
  }
  TRY(write_file_durably(kAuditPolicyFile, audit_policy()));
  return write_file_durably((std::string(kPatchesFolder) + "/" + kApiServerPatchName).c_str(), api_server_patch(address));
}

Status install_components(const ClusterConfig& cluster, const Report& report) {
  if (cluster.components.empty()) return success();
  report.step("installing components");
  ComponentOptions options;
  TRY_LET(options.bundle, find_block_device("/sys/class/block", kBundleDisk));  // empty: none is attached
  std::string problem;
  int64_t told = 0;
  Status installed = cstl::install_components(
      cluster.components, options,
      [&](const Component& component, ComponentStep step, uint64_t done, uint64_t total) {
        if (step == ComponentStep::present || (done != 0 && monotonic_ms() - told < kQuietMs / 2)) return;
        told = monotonic_ms();
        std::string line = component_step_name(step) + std::string(" ") + component.path;
        if (done != 0) line += ": " + std::to_string(done >> 20) + " MiB";
        if (total != 0) line += " of " + std::to_string(total >> 20);
        report.line(printable_line(line));
      },
      &problem);
  if (!installed.ok()) report.line(printable_line(problem));
  return installed;
}

Status prepare_node(const ClusterConfig& cluster, Role role, const IpAddress& address, Monitor& monitor,
                    const Report& report) {
  TRY(write_common_files(address));
  TRY(install_components(cluster, report));
  for (const char* name : {"kubelet", "kubeadm"}) {
    report.step(std::string("looking for ") + name);
    TRY(find_program(name));
  }
  report.step("starting containerd");
  TRY(start_containerd(monitor, report));
  report.step("importing container images");
  return import_images(role, report);
}

Status run_kubeadm(std::vector<std::string> arguments, KubeletStart start, Monitor& monitor, const Report& report) {
  TRY_LET(std::string program, find_program("kubeadm"));
  const std::string verb = arguments.empty() ? "" : arguments[0];
  Command command;
  command.arguments = {program};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  command.timeout_ms = kKubeadmMs;
  const int64_t started = monotonic_ms();
  int64_t told = started;
  bool kubelet = start == KubeletStart::no;  // nothing to do about it
  Status kubelet_started = success();
  bool advice = false;  // what kubeadm tells people to do next is done here, or not wanted at all
  command.on_line = [&](const std::string& line) {
    told = monotonic_ms();
    if (!advice) report.line(line);
    advice = advice || line.find("initialized successfully!") != std::string::npos ||
             line.rfind("This node has joined the cluster", 0) == 0;
  };
  command.on_tick = [&] {
    if (!kubelet && exists(kKubeletConfig) && exists(kKubeletFlags)) {
      kubelet_started = start_kubelet(monitor);
      kubelet = kubelet_started.ok();
      if (kubelet) report.line("kubelet started");
    }
    if (monotonic_ms() - told < kQuietMs) return;
    told = monotonic_ms();
    report.line("kubeadm " + verb + ": " + std::to_string((told - started) / 1000) + " s");
  };
  auto end = run_command(command);
  if (end && end->exit_code == 0) return kubelet ? success() : start_kubelet(monitor);
  if (!kubelet_started.ok()) return kubelet_started;
  tell_log(report, "containerd", kContainerdLog, kToldLines / 2);
  tell_log(report, "kubelet", kKubeletLog, kToldLines);
  if (!end) return or_no_space(end.error());
  return or_no_space(fail(Code::kubeadm_failed, "kubeadm.exit", Origin::cstl, end->exit_code));
}

bool has_coredns() {
  std::string folder = std::string(kImageFolder) + "/control-plane";
  std::vector<std::string> images = entries_of(folder.c_str());
  if (images.empty()) return true;  // then images come from elsewhere, and so does this one
  return std::any_of(images.begin(), images.end(), [](const std::string& name) { return name.rfind("coredns", 0) == 0; });
}

Status resume_node(Role role, Monitor& monitor, const Report& report) {
  report.step("starting containerd");
  TRY(start_containerd(monitor, report));
  report.step("importing container images");
  TRY(import_images(role, report));
  report.step("starting kubelet");
  return start_kubelet(monitor);
}

}  // namespace cstl::kubernetes
