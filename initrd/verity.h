// The dm-verity root of images that have one: `roothash=` on the measured command line, the file system (erofs) on the
// device or GPT partition named cstl-root, its hash tree with superblock on cstl-root-verity.
//
// The superblock is the host's, so only SHA-256 with 4096-byte blocks and hash type 1 is taken, and opening proves
// nothing: the kernel compares hashes only when it reads. Hence the first and the last block are read before the mount,
// past the page cache; everything else is checked as it is read.
//
// /sysroot is the root afterwards. PID 1 never switches to it: it stays in the measured initramfs. If the image holds
// /usr/bin/cstl-bootstrapper, the bootstrapper and all that it starts run inside it (chroot, with /dev, /proc, /sys and
// /run bound to it); otherwise the root is data, and programs come from the initramfs.
#pragma once

#include "crypto/base/bytes.h"

namespace cstl {

constexpr const char* kSysroot = "/sysroot";

// Waits for both devices, opens, reads, mounts read-only at kSysroot. Errors: disk_missing, root_hash, mount_failed.
Status mount_verity_root(const Digest32& roothash);

// Binds /dev, /proc, /sys and /run, with what is mounted below them now, into kSysroot if the bootstrapper is there;
// false if it is not. Errors: mount_failed.
Result<bool> prepare_sysroot();
// Takes /run out of it again, so that the state disk can be closed. Nothing happens if it is not there.
void release_sysroot();

}  // namespace cstl
