// The dm-verity root of images that have one: `roothash=` on the measured command line, the file system (erofs) on the
// device or GPT partition named cstl-root, its hash tree with superblock on cstl-root-verity.
//
// The superblock is the host's, so only SHA-256 with 4096-byte blocks and hash type 1 is taken, and opening proves
// nothing: the kernel compares hashes only when it reads. Hence the first and the last block are read before the mount,
// past the page cache; everything else is checked as it is read.
//
// initrd/root.h tells what becomes of it.
#pragma once

#include "crypto/base/bytes.h"

namespace cstl {

// Waits for both devices, opens, reads, mounts read-only at kSysroot (initrd/root.h). Errors: disk_missing,
// root_hash, mount_failed.
Status mount_verity_root(const Digest32& roothash);

}  // namespace cstl
