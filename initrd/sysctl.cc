#include "initrd/sysctl.h"

#include <algorithm>
#include <fcntl.h>
#include <string>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

struct Sysctl {
  const char* name;
  const char* value;
};

constexpr Sysctl kSysctls[] = {
    // Pod traffic is routed. First, since it sets the settings below back to those of a router.
    {"net.ipv4.ip_forward", "1"},
    // The network is the host's: no spoofed source, no route that it suggests.
    {"net.ipv4.conf.all.rp_filter", "1"},
    {"net.ipv4.conf.default.rp_filter", "1"},
    {"net.ipv4.conf.all.accept_source_route", "0"},
    {"net.ipv4.conf.default.accept_source_route", "0"},
    {"net.ipv4.conf.all.accept_redirects", "0"},
    {"net.ipv4.conf.default.accept_redirects", "0"},
    {"net.ipv4.conf.all.send_redirects", "0"},
    {"net.ipv4.conf.default.send_redirects", "0"},
    {"net.ipv6.conf.all.accept_ra", "0"},
    {"net.ipv6.conf.default.accept_ra", "0"},
    {"net.ipv6.conf.all.accept_redirects", "0"},
    {"net.ipv6.conf.default.accept_redirects", "0"},
    // kube-proxy's rules must see what crosses a bridge.
    {"net.bridge.bridge-nf-call-iptables", "1"},
    {"net.bridge.bridge-nf-call-ip6tables", "1"},
    // protectKernelDefaults: the kubelet does not start with other values.
    {"vm.overcommit_memory", "1"},
    {"vm.panic_on_oom", "0"},
    {"kernel.panic", "10"},
    {"kernel.panic_on_oops", "1"},
    {"kernel.keys.root_maxkeys", "1000000"},
    {"kernel.keys.root_maxbytes", "25000000"},
    // Room for many containers.
    {"fs.inotify.max_user_instances", "8192"},
    {"fs.inotify.max_user_watches", "524288"},
    {"kernel.pid_max", "4194304"},
    {"vm.max_map_count", "262144"},
    // No memory of anybody's goes to a disk: an empty pattern makes no dump.
    {"kernel.core_uses_pid", "0"},
    {"kernel.core_pattern", ""},
    {"fs.suid_dumpable", "0"},
    // Less for strangers to attack the kernel with, or to learn about it.
    {"kernel.unprivileged_bpf_disabled", "1"},
    {"kernel.kptr_restrict", "2"},
    {"kernel.dmesg_restrict", "1"},
    {"kernel.perf_event_paranoid", "3"},
    {"fs.protected_hardlinks", "1"},
    {"fs.protected_symlinks", "1"},
    {"fs.protected_fifos", "1"},
    {"fs.protected_regular", "2"},
};

}  // namespace

void apply_sysctls(const char* folder, const SysctlRefused& refused) {
  for (const Sysctl& setting : kSysctls) {
    std::string path = setting.name;
    std::replace(path.begin(), path.end(), '.', '/');
    path = std::string(folder) + "/" + path;
    auto file = open_file(path.c_str(), O_WRONLY | O_TRUNC);
    const Status written = file ? write_all(file->get(), std::string(setting.value) + "\n") : Status(file.error());
    if (!written.ok()) refused(setting.name, written.error());
  }
}

}  // namespace cstl
