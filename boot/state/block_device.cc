#include "boot/state/block_device.h"

#include <cerrno>
#include <dirent.h>
#include <sys/stat.h>
#include <vector>

#include "crypto/base/fd.h"

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

}  // namespace cstl
