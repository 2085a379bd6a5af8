#include "initrd/places.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/state/node_state.h"
#include "crypto/base/fd.h"

namespace cstl {
namespace {

constexpr unsigned long kNoExec = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr unsigned long kExec = MS_NOSUID | MS_NODEV;

struct Memory {
  const char* type;
  const char* target;
  unsigned long flags;
  const char* options;
  const char* site;
};

constexpr Memory kMemory[] = {
    {"tmpfs", "/tmp", kNoExec, "mode=1777,size=10%", "mount.tmp"},
    {"tmpfs", "/dev/shm", kNoExec, "mode=1777,size=10%", "mount.shm"},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666", "mount.pts"},
    {"mqueue", "/dev/mqueue", kNoExec, nullptr, "mount.mqueue"},
    {"bpf", "/sys/fs/bpf", kNoExec, "mode=0700", "mount.bpf"},
};

struct Bind {
  const char* folder;  // of the state disk
  const char* target;
  mode_t mode;
  unsigned long flags;
  const char* site;
};

// Components are installed below /opt and run from there; so do volumes of containers below /var.
constexpr Bind kBinds[] = {
    {"var", "/var", 0755, kExec, "mount.var"},
    {"opt", "/opt", 0755, kExec, "mount.opt"},
    {"etc-kubernetes", "/etc/kubernetes", 0700, kNoExec, "mount.etc_kubernetes"},
    {"etc-cni", "/etc/cni", 0755, kNoExec, "mount.etc_cni"},
};

struct Folder {
  const char* path;
  mode_t mode;
};

constexpr Folder kFolders[] = {
    {"/var/cache", 0755}, {"/var/lib", 0755}, {"/var/log", 0755}, {"/var/tmp", 01777}, {"/run/lock", 01777},
};

struct Link {
  const char* target;
  const char* path;
};

constexpr Link kLinks[] = {
    {"/run", "/var/run"},          {"/run/lock", "/var/lock"},      {"/proc/self/fd", "/dev/fd"},
    {"fd/0", "/dev/stdin"},        {"fd/1", "/dev/stdout"},         {"fd/2", "/dev/stderr"},
};

Error mount_error(const char* site) { return fail(Code::mount_failed, site, Origin::errno_value, errno); }

// Its mode is set once, when it is made, and whatever the mask: an administrator may change it.
Status make_folder(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST) return success();
    return fail_errno("places.folder");
  }
  if (chmod(path.c_str(), mode) != 0) return fail_errno("places.mode");
  return success();
}

Status write_name(const std::string& name, const std::string& text) {
  const std::string path = "/run/cstl/etc/" + name;
  TRY_LET(Fd fd, open_file(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
  TRY(write_all(fd.get(), text));
  return fd.close();
}

}  // namespace

Status mount_places() {
  for (const Memory& m : kMemory) {
    (void)mkdir(m.target, 0755);  // in /dev; elsewhere it exists, or mount says so
    if (mount(m.type, m.target, m.type, m.flags, m.options) != 0) return mount_error(m.site);
  }
  for (const Bind& b : kBinds) {
    const std::string folder = std::string(kStateFolder) + "/" + b.folder;
    TRY(make_folder(folder, b.mode));
    if (mount(folder.c_str(), b.target, nullptr, MS_BIND, nullptr) != 0) return mount_error(b.site);
    if (mount(nullptr, b.target, nullptr, MS_REMOUNT | MS_BIND | MS_NOATIME | b.flags, nullptr) != 0)
      return mount_error(b.site);
  }
  for (const Folder& f : kFolders) TRY(make_folder(f.path, f.mode));
  for (const Link& link : kLinks) {
    if (symlink(link.target, link.path) != 0 && errno != EEXIST) return fail_errno("places.link");
  }
  return success();
}

std::string hosts_text(const Metadata& metadata) {
  return "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + ip_text(metadata.address.address) + " " +
         metadata.name + "\n";
}

std::string resolver_text(const Metadata& metadata) {
  std::string out;
  for (const IpAddress& server : metadata.dns) out += "nameserver " + ip_text(server) + "\n";
  return out;
}

std::string machine_id_text(const Uuid& disk) { return to_hex(disk) + "\n"; }

Status write_names(const Metadata& metadata, const Uuid& disk) {
  TRY(make_folder("/run/cstl/etc", 0755));
  TRY(write_name("hosts", hosts_text(metadata)));
  TRY(write_name("hostname", metadata.name + "\n"));
  TRY(write_name("machine-id", machine_id_text(disk)));
  return write_name("resolv.conf", resolver_text(metadata));
}

Status share_mounts() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0) return mount_error("mount.share");
  return success();
}

void release_places() {
  for (const Bind& b : kBinds) (void)umount2(b.target, MNT_DETACH);
  // With the roots of containers, which lie on the state disk, and the state disk's own mount.
  (void)umount2("/run", MNT_DETACH);
}

}  // namespace cstl
