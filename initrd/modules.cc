#include "initrd/modules.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl {

namespace {

constexpr int kCompressed = 4;  // MODULE_INIT_COMPRESSED_FILE, linux/module.h

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// True if it was loaded, false if it is not needed here.
Result<bool> load(const std::string& path) {
  if (path[0] != '/' || path.size() > 255) return fail(Code::module_failed, "modules.path");
  auto file = open_file(path.c_str(), O_RDONLY);
  if (!file) return fail(Code::module_failed, "modules.open", Origin::errno_value, file.error().foreign);
  const int flags = ends_with(path, ".xz") || ends_with(path, ".zst") ? kCompressed : 0;
  if (syscall(SYS_finit_module, file->get(), "", flags) == 0) return true;
  if (errno == EEXIST || errno == ENODEV) return false;
  return fail(Code::module_failed, "modules.load", Origin::errno_value, errno);
}

}  // namespace

Result<ModuleCount> load_modules(const char* list, const ModuleRefused& refused) {
  ModuleCount count;
  auto text = read_file(list, 64 * 1024);
  if (!text) {
    if (text.code() == Code::not_found) return count;
    return fail(Code::module_failed, "modules.list", text.error().origin, text.error().foreign);
  }
  std::string_view left = Bytes(*text).text();
  while (!left.empty()) {
    const std::string line(left.substr(0, left.find('\n')));
    left.remove_prefix(line.size() < left.size() ? line.size() + 1 : line.size());
    if (line.empty()) continue;
    const auto loaded = load(line);
    if (!loaded) {
      refused(line, loaded.error());
    } else {
      ++(*loaded ? count.loaded : count.absent);
    }
  }
  return count;
}

}  // namespace cstl
