// Components: the files that a cluster's configuration has every node fetch at its first boot (kubelet, CNI plugins,
// container images, …).
//
// Each is taken from a bundle if there is one that holds it, else from its URL; its SHA-256 is compared before one byte
// of it is interpreted; it is put in place by a rename after everything of it is on the disk. What is installed with
// the SHA-256 that is asked for is left alone. After any failure, calling again goes on from where it stopped: a
// partial download is kept (next to its place, ".NAME.<12 hex digits>.part"), everything else is made anew.
//
// A plain file gets mode 0755. An archive is a tar, or a tar in gzip; its entries get no setuid, setgid or sticky bit
// and are not writable by others. It is unpacked into a new folder, which becomes `path`; if `path` exists (several
// archives may share it), each entry at the archive's top replaces the one of its name there, and others stay.
//
// Runs as root, blocks, calls `progress` at least every second while bytes come. https is spoken by a child that is
// nobody (confined.h). Reads no environment, uses no proxy.
#pragma once

#include "boot/cluster/config.h"
#include "boot/components/download.h"
#include "boot/components/unpack.h"

namespace cstl {

struct ComponentOptions {
  std::string root;                                  // put before every install path: a test's folder, else empty
  std::string state = "/var/lib/cstl/components";    // remembers what is installed; `root` is put before it too
  std::string ca_bundle = "/etc/ssl/certs/ca-certificates.crt";  // whom https servers are trusted by (PEM)
  std::string bundle;                                // a bundle's file or block device (bundle.h), or empty
  DownloadLimits download;
  UnpackLimits unpack;
};

enum class ComponentStep : uint8_t { present, download, verify, unpack, install };
const char* component_step_name(ComponentStep step);

// `total` is 0 while it is not known; present, verify, unpack and install are told once, with 0 and 0.
using ComponentProgress =
    std::function<void(const Component& component, ComponentStep step, uint64_t done, uint64_t total)>;

// Stops at the first component that fails; `problem` (may be null) then says which, at which step, why and what to do:
// printable ASCII, for the operator. Errors: component_unreachable (also a server that is not trusted), component_hash,
// component_size, component_archive, component_unsafe, bundle_malformed, no_space, by errno.
Status install_components(const std::vector<Component>& components, const ComponentOptions& options,
                          const ComponentProgress& progress, std::string* problem);

}  // namespace cstl
