// What a node's read-only root needs to be written to, and where it goes.
//
//   /var, /etc/kubernetes, /etc/cni, /opt   folders of the state disk, made at its first boot: encrypted, and kept
//   /tmp, /dev/shm                          memory
//   /run/cstl/etc                           hosts, resolv.conf, hostname, machine-id: made at every boot; the root's
//                                           /etc has symbolic links to them
//
// nosuid and nodev everywhere, noexec wherever nothing runs from. Nothing here is secret.
#pragma once

#include <string>

#include "boot/metadata/metadata.h"

namespace cstl {

// After the switch of root. Errors: mount_failed with errno (a mount point that the root lacks: ENOENT), no_space, io.
Status mount_places();

// Errors: no_space, io.
Status write_names(const Metadata& metadata, const Uuid& disk);

// What write_names() writes. The machine-id is the state disk's UUID in its 32 hexadecimal digits: as lasting, and as
// public, as the disk's header.
std::string hosts_text(const Metadata& metadata);
std::string resolver_text(const Metadata& metadata);
std::string machine_id_text(const Uuid& disk);

// From here on, mounts below / reach the namespaces of containers, as Kubernetes' mount propagation wants.
// Errors: mount_failed.
Status share_mounts();

// Before power off, when nothing runs any more: gives up all of that, and whatever containers left mounted on top of
// it, so that the state disk can be closed. Only after mount_places(); /run is gone then.
void release_places();

}  // namespace cstl
