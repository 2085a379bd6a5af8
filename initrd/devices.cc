#include "initrd/devices.h"

#include <cerrno>
#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "crypto/base/fd.h"
#include "crypto/base/log.h"

namespace cstl {
namespace {

// One line of a small sysfs file, without its end; empty if it cannot be read.
std::string first_line(const std::string& path) {
  auto data = read_file(path.c_str(), 4096);
  if (!data) return {};
  const std::string_view text = Bytes(*data).text();
  std::string line(text.substr(0, text.find('\n')));
  while (!line.empty() && line.back() == ' ') line.pop_back();  // NVMe pads its serial
  return line;
}

bool is_disk_of(const std::string& folder, std::string_view name) {
  struct stat unused;
  return stat((folder + "/partition").c_str(), &unused) != 0 &&
         (first_line(folder + "/serial") == name || first_line(folder + "/device/serial") == name);
}

bool is_partition_of(const std::string& folder, std::string_view name) {
  auto data = read_file((folder + "/uevent").c_str(), 4096);
  if (!data) return false;
  std::string_view left = Bytes(*data).text();
  while (!left.empty()) {
    const std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(line.size() < left.size() ? line.size() + 1 : line.size());
    if (line.substr(0, 9) == "PARTNAME=") return line.substr(9) == name;
  }
  return false;
}

// Calls `probe` until it is true; false after `timeout_ms`.
template <typename Probe>
bool wait_until(Probe probe, int timeout_ms, std::string_view what) {
  const int64_t start = monotonic_ms();
  int64_t say = 1000;
  while (!probe()) {
    const int64_t passed = monotonic_ms() - start;
    if (passed >= timeout_ms) return false;
    if (passed >= say) {
      log_info("device.waiting", {{"for", what}, {"seconds", passed / 1000}, {"at_most", int64_t{timeout_ms / 1000}}});
      say += 10000;
    }
    usleep(100 * 1000);
  }
  return true;
}

}  // namespace

Result<std::string> find_block_device(const char* sys_block, std::string_view name) {
  DIR* dir = opendir(sys_block);
  if (!dir) return fail(Code::disk_failed, "disk.sysfs", Origin::errno_value, errno);
  std::vector<std::string> disks, partitions;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    const std::string kernel_name = entry->d_name, folder = sys_block + ("/" + kernel_name);
    const std::string node = "/dev/" + kernel_name;
    if (is_disk_of(folder, name)) disks.push_back(node);
    if (is_partition_of(folder, name)) partitions.push_back(node);
  }
  (void)closedir(dir);  // only read from
  const auto& found = partitions.empty() ? disks : partitions;
  if (found.size() > 1) return fail(Code::disk_failed, "disk.two_of_that_name");
  return found.empty() ? std::string() : found[0];
}

Result<std::string> wait_for_block_device(std::string_view name, int timeout_ms) {
  Result<std::string> found = std::string();
  const bool there = wait_until(
      [&] {
        found = find_block_device("/sys/class/block", name);
        return !found.ok() || (!found->empty() && access(found->c_str(), F_OK) == 0);
      },
      timeout_ms, name);
  if (!there) return fail(Code::disk_missing, "disk.find");
  return found;
}

Status wait_for_node(const char* path, int timeout_ms, Code missing) {
  if (!wait_until([&] { return access(path, F_OK) == 0; }, timeout_ms, path)) return fail(missing, "device.node");
  return success();
}

Result<BlockDevice> block_device(int fd) {
  BlockDevice out;
  int read_only = 0;
  if (ioctl(fd, BLKGETSIZE64, &out.size) != 0 || ioctl(fd, BLKROGET, &read_only) != 0)
    return fail(Code::disk_failed, "disk.size", Origin::errno_value, errno);
  out.read_only = read_only != 0;
  return out;
}

}  // namespace cstl
