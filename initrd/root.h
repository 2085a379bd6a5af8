// The switch of root: from the measured initramfs to the root under dm-verity (initrd/verity.h).
//
// PID 1 goes itself, by moving that root over the initramfs' own, and not by a mere chroot: a chroot is no boundary for
// whoever may mount, as container runtimes do all day; whoever enters a mount namespace (setns(2), nsenter) starts at
// its real root, so a container's breakout would land in the initramfs; and programs that the kernel itself starts
// (modprobe) follow PID 1's root. Afterwards nothing can name the initramfs any more, and its memory is free.
#pragma once

#include "crypto/base/result.h"

namespace cstl {

constexpr const char* kSysroot = "/sysroot";

// True if the root that is mounted at kSysroot holds the node's programs, /usr/bin/cstl-bootstrapper. A root without
// it is data, and PID 1 stays where it is.
bool root_has_programs();

// Takes /dev, /proc, /sys and /run along with all that is mounted below them; /tmp stays behind. Requires PID 1 in
// the initramfs, before any mount is shared. Errors: mount_failed with errno; PID 1 is then somewhere between, and
// must reboot.
Status switch_root();

// Removes all below `folder`, an open directory, that lies on the same device; what cannot be removed stays. Closes
// nothing.
void empty_folder(int folder);

}  // namespace cstl
