// What every node does, first or joining, at its set-up and after each boot: containerd, components, images, kubelet.
// containerd and the kubelet run as children of PID 1 (boot/bootstrapper/monitor.h). Blocking; for the bootstrapper's
// root process, without the network except for components.
#pragma once

#include <functional>
#include <string>

#include "attest/reference/values.h"
#include "boot/bootstrapper/monitor.h"
#include "boot/cluster/config.h"

namespace cstl::kubernetes {

// Who is told what happens: `step` before each step starts (the last one told is the one that failed), `line` what
// programs say meanwhile. Both printable ASCII, at most 256 bytes.
struct Report {
  std::function<void(std::string_view)> step;
  std::function<void(std::string_view)> line;
};

// Errors: kubernetes_missing, containerd_failed, and those of Monitor::start.
Status start_containerd(Monitor& monitor, const Report& report);
// Images of the read-only root (linked, not copied) and of components. Errors: image_failed, timeout, io.
Status import_images(Role role, const Report& report);
// Components of the configuration that are not installed yet. Errors: those of boot/components.
Status install_components(const ClusterConfig& cluster, const Report& report);
// With the image's seccomp profiles where it looks for them. Errors: kubernetes_missing, not_found or bad_value (kubeadm
// has not written its files), io, and those of Monitor::start.
Status start_kubelet(Monitor& monitor);
// Files that kubeadm and the API server need besides kubeadm's own configuration. Errors: io, no_space.
Status write_common_files(const IpAddress& address);

// All of the above that can be done before kubeadm runs.
Status prepare_node(const ClusterConfig& cluster, Role role, const IpAddress& address, Monitor& monitor,
                    const Report& report);

// Whether a run of kubeadm writes the kubelet's files anew: then the kubelet is started as soon as it has.
enum class KubeletStart : bool { no, yes };
// kubeadm with `arguments`, its lines to `report`.
// Errors: kubernetes_missing, kubeadm_failed, timeout, no_space; the last lines of kubelet and containerd are told then.
Status run_kubeadm(std::vector<std::string> arguments, KubeletStart start, Monitor& monitor, const Report& report);

// KUBELET_KUBEADM_ARGS="--a=b --c d": the arguments, as kubeadm leaves them for systemd's EnvironmentFile. At most 64 of
// printable ASCII without quotes, backslashes or dollar signs. Errors: bad_value.
Result<std::vector<std::string>> parse_kubelet_flags(std::string_view text);

// Whether the image's CoreDNS, if it brings images of the control plane at all, is among them.
bool has_coredns();

// After a boot: containerd and kubelet, at once. Errors as above.
Status resume_node(Role role, Monitor& monitor, const Report& report);

}  // namespace cstl::kubernetes
