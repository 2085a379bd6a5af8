// The file systems that PID 1 needs before anything else works: /proc, /sys, /sys/kernel/security, /dev, /run, /tmp;
// and the folders of /run/cstl. /run takes at most a fifth of the memory: sockets and state of containerd and kubelet
// stay below that at the kubelet's 110 pods, and a program that fills it leaves the machine alive.
#pragma once

#include "crypto/base/result.h"

namespace cstl {

// Creates missing mount points. What is mounted there already (by another initramfs) is left as it is. nosuid
// everywhere; noexec everywhere (/dev included: nothing there is a program); nodev wherever the file system is not
// /dev.
// Errors: mount_failed with errno and the site of the file system (mount.proc, …).
Status mount_early();

// configfs, where the kernel makes TEE reports, if this kernel has it (it may be a module).
void mount_configfs();

// Makes /run/cstl (0755) and /run/cstl/state (0700). Errors by errno.
Status make_run_folders();

}  // namespace cstl
