#include "boot/components/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "boot/components/download.h"

namespace cstl {

namespace {
constexpr size_t kMaxName = 1023;
constexpr int kMaxDepth = 32;

struct ReadEnd {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchiveReader = std::unique_ptr<archive, ReadEnd>;

// The folder `name` below `folder`; "" is the folder itself.
Result<Fd> open_beneath(int folder, const std::string& name, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = syscall(SYS_openat2, folder, name.empty() ? "." : name.c_str(), &how, sizeof how);
  if (fd >= 0) return Fd(static_cast<int>(fd));
  if (errno == ELOOP || errno == EXDEV || errno == ENOTDIR) return fail(Code::component_unsafe, "unpack.through_link");
  return fail_errno("unpack.open");
}

struct Place {
  Fd folder;
  std::string name;  // the last part
};

// Where an entry goes; folders on the way are made.
Result<Place> place_of(int root, const std::string& name, bool make) {
  Place place;
  TRY_LET(place.folder, open_beneath(root, "", O_RDONLY | O_DIRECTORY));
  std::string_view rest = name;
  for (;;) {
    size_t slash = rest.find('/');
    place.name = std::string(rest.substr(0, slash));
    if (slash == std::string_view::npos) return place;
    if (make && mkdirat(place.folder.get(), place.name.c_str(), 0755) != 0 && errno != EEXIST) {
      return fail_errno("unpack.folder");
    }
    TRY_LET(place.folder, open_beneath(place.folder.get(), place.name, O_RDONLY | O_DIRECTORY));
    rest.remove_prefix(slash + 1);
  }
}

Error twice_or_errno(const char* site) {
  if (errno == EEXIST) return fail(Code::component_archive, "unpack.entry_twice");
  if (errno == EDQUOT || errno == EFBIG) return fail(Code::no_space, site, Origin::errno_value, errno);
  return fail_errno(site);
}

Status write_content(archive* reader, const Place& place, mode_t mode, uint64_t& left) {
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd file(openat(place.folder.get(), place.name.c_str(), flags, 0600));
  if (!file.valid()) return twice_or_errno("unpack.create");
  std::vector<uint8_t> chunk(256 * 1024);
  for (;;) {
    la_ssize_t n = archive_read_data(reader, chunk.data(), chunk.size());
    if (n == 0) break;
    if (n < 0) return fail(Code::component_archive, "unpack.content");
    if (static_cast<uint64_t>(n) > left) return fail(Code::component_size, "unpack.content");
    left -= static_cast<uint64_t>(n);
    TRY(append(file.get(), Bytes(chunk).first(static_cast<size_t>(n))));
  }
  if (fchmod(file.get(), (mode & 0755) | 0600) != 0) return fail_errno("unpack.mode");
  return file.close();
}

Status make_hard_link(int root, const Place& place, const char* target) {
  TRY_LET(std::string source, entry_name(target));
  if (source.empty()) return fail(Code::component_unsafe, "unpack.hard_link");
  auto from = place_of(root, source, false);
  if (!from) {  // not there at all, or behind a link: it names nothing of this archive
    return fail(from.code() == Code::not_found ? Code::component_unsafe : from.code(), "unpack.hard_link");
  }
  struct stat found = {};
  if (fstatat(from->folder.get(), from->name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(found.st_mode)) {
    return fail(Code::component_unsafe, "unpack.hard_link");
  }
  if (linkat(from->folder.get(), from->name.c_str(), place.folder.get(), place.name.c_str(), 0) != 0) {
    return twice_or_errno("unpack.hard_link");
  }
  return success();
}

Status unpack_entry(archive* reader, archive_entry* entry, int root, uint64_t& left, std::string* problem) {
  const char* raw = archive_entry_pathname(entry);
  if (raw == nullptr) return fail(Code::component_unsafe, "unpack.name");
  if (problem != nullptr) *problem = raw;
  TRY_LET(std::string name, entry_name(raw));
  mode_t type = archive_entry_filetype(entry);
  mode_t mode = archive_entry_perm(entry);
  const char* hard_link = archive_entry_hardlink(entry);
  if (name.empty()) {
    if (type == AE_IFDIR && hard_link == nullptr) return success();
    return fail(Code::component_unsafe, "unpack.name");
  }
  TRY_LET(Place place, place_of(root, name, true));
  if (hard_link != nullptr) return make_hard_link(root, place, hard_link);
  switch (type) {
    case AE_IFREG: return write_content(reader, place, mode, left);
    case AE_IFDIR: {
      if (mkdirat(place.folder.get(), place.name.c_str(), 0755) != 0 && errno != EEXIST)
        return fail_errno("unpack.folder");
      TRY_LET(Fd folder, open_beneath(place.folder.get(), place.name, O_RDONLY | O_DIRECTORY));
      if (fchmod(folder.get(), (mode & 0755) | 0700) != 0) return fail_errno("unpack.mode");
      return success();
    }
    case AE_IFLNK: {
      const char* target = archive_entry_symlink(entry);
      if (target == nullptr) return fail(Code::component_unsafe, "unpack.link");
      TRY(check_link(name, target));
      if (symlinkat(target, place.folder.get(), place.name.c_str()) != 0) return twice_or_errno("unpack.link");
      return success();
    }
    default: return fail(Code::component_unsafe, "unpack.kind");
  }
}
}  // namespace

Result<std::string> entry_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || name[0] == '/') return fail(Code::component_unsafe, "unpack.name");
  std::string out;
  int depth = 0;
  while (!name.empty()) {
    size_t slash = name.find('/');
    std::string_view part = name.substr(0, slash);
    name.remove_prefix(slash == std::string_view::npos ? name.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.size() > 255 || ++depth > kMaxDepth) return fail(Code::component_unsafe, "unpack.name");
    for (char c : part) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return fail(Code::component_unsafe, "unpack.name");
    }
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

Status check_link(std::string_view name, std::string_view target) {
  if (target.empty() || target.size() > kMaxName || target[0] == '/')
    return fail(Code::component_unsafe, "unpack.link");
  int up = 0;  // folders above the link that are still inside
  for (char c : name) up += c == '/' ? 1 : 0;
  bool named = false;
  while (!target.empty()) {
    size_t slash = target.find('/');
    std::string_view part = target.substr(0, slash);
    target.remove_prefix(slash == std::string_view::npos ? target.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      named = true;
    } else if (named || --up < 0) {
      return fail(Code::component_unsafe, "unpack.link");
    }
    for (char c : part) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return fail(Code::component_unsafe, "unpack.link");
    }
  }
  return success();
}

Status unpack(int file, int folder, const UnpackLimits& limits, std::string* problem) {
  if (problem != nullptr) problem->clear();
  if (lseek(file, 0, SEEK_SET) != 0) return fail_errno("unpack.seek");
  ArchiveReader reader(archive_read_new());
  if (!reader) return fail(Code::no_memory, "unpack.open");
  if (archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
      archive_read_support_filter_gzip(reader.get()) != ARCHIVE_OK ||
      archive_read_open_fd(reader.get(), file, 256 * 1024) != ARCHIVE_OK) {
    return fail(Code::component_archive, "unpack.open");
  }
  uint64_t left = limits.bytes;
  uint32_t entries = 0;
  for (;;) {
    archive_entry* entry = nullptr;
    int result = archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) break;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return fail(Code::component_archive, "unpack.header");
    if (++entries > limits.entries) return fail(Code::component_size, "unpack.entries");
    TRY(unpack_entry(reader.get(), entry, folder, left, problem));
  }
  if (entries == 0) return fail(Code::component_archive, "unpack.empty");
  return success();
}

}  // namespace cstl
