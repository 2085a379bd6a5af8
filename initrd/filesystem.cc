#include "initrd/filesystem.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/fs.h>
#include <memory>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "initrd/children.h"
#include "initrd/devices.h"

namespace cstl {
namespace {

constexpr uint64_t kMiB = 1024 * 1024, kBlock = 4096, kGroup = 32768 * kBlock;
constexpr unsigned long kReadAheadSectors = 256;  // the kernel's default, 128 KiB

Error disk_error(const char* site) { return fail(Code::disk_failed, site, Origin::errno_value, errno); }

Status write_zeros(int fd, const std::vector<Region>& regions) {
  void* memory = nullptr;
  if (posix_memalign(&memory, kBlock, kMiB) != 0) return fail(Code::no_memory, "fs.zeros");
  const std::unique_ptr<void, decltype(&std::free)> zeros(memory, std::free);
  std::memset(zeros.get(), 0, kMiB);
  for (const Region& region : regions) {
    for (uint64_t done = 0; done < region.size;) {
      const size_t n = static_cast<size_t>(std::min(kMiB, region.size - done));
      if (pwrite(fd, zeros.get(), n, static_cast<off_t>(region.offset + done)) != static_cast<ssize_t>(n))
        return disk_error("fs.zeros");
      done += n;
    }
  }
  return success();
}

Status run_mkfs(const std::string& device, uint64_t size) {
  const char* program = access("/sbin/mkfs.ext4", X_OK) == 0 ? "/sbin/mkfs.ext4" : "/usr/sbin/mkfs.ext4";
  // One inode per MiB up to 64 GiB, then per 4 MiB; metadata packed at the front; the journal written in full, since a
  // lazily initialised one is lost at a power cut.
  const char* arguments[] = {program, "-q", "-F", "-b", "4096", "-O", "^resize_inode", "-G", "4096", "-i",
                             size <= 64 * 1024 * kMiB ? "1048576" : "4194304", "-J", "size=64", "-E",
                             "nodiscard,lazy_itable_init=0,lazy_journal_init=0,packed_meta_blocks=1", device.c_str(),
                             nullptr};
  const pid_t child = fork();
  if (child < 0) return fail(Code::mkfs_failed, "mkfs.fork", Origin::errno_value, errno);
  if (child == 0) run_program(arguments);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail(Code::mkfs_failed, "mkfs.wait", Origin::errno_value, errno);
  }
  if (status != 0) return fail(Code::mkfs_failed, "mkfs.status", Origin::errno_value, status);
  return success();
}

}  // namespace

std::vector<Region> read_before_written(uint64_t size) {
  size -= size % kBlock;
  std::vector<Region> out;
  out.push_back({0, std::min(size, 8 * kMiB)});
  const uint64_t tail = std::min(size, 4 * kMiB);
  out.push_back({size - tail, tail});
  const auto add = [&](uint64_t group) {
    if (group < (size + kGroup - 1) / kGroup) out.push_back({group * kGroup, kBlock});
  };
  add(1);
  for (uint64_t base : {3, 5, 7})
    for (uint64_t group = base; group < size / kGroup + 1; group *= base) add(group);
  return out;
}

Status make_filesystem(const std::string& device) {
  auto fd = open_file(device.c_str(), O_RDWR | O_DIRECT);
  if (!fd) return fail(Code::disk_failed, "fs.open", Origin::errno_value, fd.error().foreign);
  TRY_LET(const BlockDevice block, block_device(fd->get()));
  if (ioctl(fd->get(), BLKRASET, 0) != 0) return disk_error("fs.read_ahead");
  TRY(write_zeros(fd->get(), read_before_written(block.size)));
  TRY(run_mkfs(device, block.size));
  if (ioctl(fd->get(), BLKRASET, kReadAheadSectors) != 0) return disk_error("fs.read_ahead");
  if (fsync(fd->get()) != 0) return disk_error("fs.flush");
  return success();
}

Status mount_filesystem(const std::string& device, const char* target) {
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME;
  if (mount(device.c_str(), target, "ext4", kFlags, "data=ordered,errors=remount-ro") != 0)
    return fail(Code::mount_failed, "mount.state", Origin::errno_value, errno);
  // Services reach their own folders below it; nobody but root lists it.
  if (chmod(target, 0711) != 0) return fail(Code::mount_failed, "mount.state_mode", Origin::errno_value, errno);
  return success();
}

Status unmount_filesystem(const char* target) {
  if (umount2(target, 0) == 0 || umount2(target, MNT_DETACH) == 0) return success();
  return fail(Code::mount_failed, "unmount.state", Origin::errno_value, errno);
}

}  // namespace cstl
