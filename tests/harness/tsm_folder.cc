#include "tests/harness/tsm_folder.h"

#include <linux/fuse.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <thread>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl::test {

namespace {
[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "tsm_folder: %s: errno %d\n", what, errno);
  std::abort();
}

enum File : unsigned { provider, inblob, outblob, auxblob, generation, level, level_floor, files };
constexpr const char* kFiles[] = {"provider",   "inblob",    "outblob",        "auxblob",
                                  "generation", "privlevel", "privlevel_floor"};
constexpr bool written(unsigned file) { return file == inblob || file == level; }
constexpr uint64_t kStride = 16;  // node ids: entry e is e * kStride, its files follow
constexpr unsigned kMaxPrivlevel = 3;

unsigned file_of(uint64_t node) { return static_cast<unsigned>(node % kStride - 1); }
uint64_t entry_of(uint64_t node) { return node - node % kStride; }

struct Entry {
  std::string name;
  Digest64 input{};
  size_t input_size = 0;
  uint64_t write_generation = 0, read_generation = 0;
  bool reported = false;
  TsmAnswer report;
  unsigned privlevel = 0;
  uint32_t uid[files + 1] = {};
};

// struct configfs_buffer
struct Opening {
  uint64_t node = 0;
  std::vector<uint8_t> content;
  bool filled = false, wrote = false;
};
}  // namespace

struct TsmFolder::State {
  std::string folder, provider_name;
  TsmFirmware firmware;
  TsmKernel kernel;
  Fd fuse;
  std::thread thread;
  mutable std::mutex lock;
  std::map<uint64_t, Entry> entries;     // by node id
  std::map<uint64_t, Opening> openings;  // by handle
  uint64_t next_entry = 1, next_handle = 1;

  Entry* find(uint64_t node) {
    auto at = entries.find(entry_of(node));
    return at == entries.end() ? nullptr : &at->second;
  }

  void reply(const fuse_in_header& in, int error, const void* data = nullptr, size_t size = 0) {
    fuse_out_header out{};
    out.len = static_cast<uint32_t>(sizeof out + size);
    out.error = -error;
    out.unique = in.unique;
    iovec parts[] = {{&out, sizeof out}, {const_cast<void*>(data), size}};
    (void)writev(fuse.get(), parts, size == 0 ? 1 : 2);  // the asker may be gone
  }

  fuse_attr attr(uint64_t node) {
    fuse_attr out{};
    out.ino = node;
    out.nlink = 1;
    out.blksize = 4096;
    const Entry* entry = find(node);
    if (node == FUSE_ROOT_ID || node % kStride == 0) {
      out.mode = S_IFDIR | 0755;
      out.nlink = 2;
      if (node != FUSE_ROOT_ID && entry != nullptr) out.uid = entry->uid[files];
      return out;
    }
    out.mode = S_IFREG | (written(file_of(node)) ? 0200u : 0400u);
    out.size = 4096;
    if (entry != nullptr) out.uid = entry->uid[file_of(node)];
    return out;
  }

  void reply_entry(const fuse_in_header& in, uint64_t node) {
    fuse_entry_out out{};
    out.nodeid = node;
    out.attr = attr(node);
    reply(in, 0, &out, sizeof out);
  }

  void lookup(const fuse_in_header& in, const std::string& name) {
    if (in.nodeid == FUSE_ROOT_ID) {
      for (const auto& [node, entry] : entries) {
        if (entry.name == name) return reply_entry(in, node);
      }
      return reply(in, ENOENT);
    }
    if (find(in.nodeid) == nullptr) return reply(in, ENOENT);
    for (unsigned i = 0; i < files; ++i) {
      if (i == auxblob && !kernel.has_auxblob) continue;
      if ((i == level || i == level_floor) && !kernel.has_privlevel) continue;
      if (name == kFiles[i]) return reply_entry(in, in.nodeid + 1 + i);
    }
    reply(in, ENOENT);
  }

  void make_entry(const fuse_in_header& in, const std::string& name) {
    if (in.nodeid != FUSE_ROOT_ID) return reply(in, EPERM);
    if (!kernel.registered) return reply(in, ENXIO);
    for (const auto& [node, entry] : entries) {
      if (entry.name == name) return reply(in, EEXIST);
    }
    const uint64_t node = next_entry++ * kStride;
    entries[node].name = name;
    reply_entry(in, node);
  }

  void remove_entry(const fuse_in_header& in, const std::string& name) {
    for (auto at = entries.begin(); at != entries.end(); ++at) {
      if (at->second.name != name) continue;
      entries.erase(at);
      return reply(in, 0);
    }
    reply(in, ENOENT);
  }

  // All names at once: a handful.
  void list(const fuse_in_header& in, const fuse_read_in& read) {
    std::vector<uint8_t> out;
    if (read.offset == 0 && in.nodeid == FUSE_ROOT_ID) {
      for (const auto& [node, entry] : entries) {
        fuse_dirent item{};
        item.ino = node;
        item.off = 1;
        item.namelen = static_cast<uint32_t>(entry.name.size());
        item.type = S_IFDIR >> 12;
        const auto* start = reinterpret_cast<const uint8_t*>(&item);
        out.insert(out.end(), start, start + FUSE_NAME_OFFSET);
        out.insert(out.end(), entry.name.begin(), entry.name.end());
        out.resize(FUSE_DIRENT_ALIGN(out.size()));
      }
    }
    reply(in, out.size() > read.size ? EIO : 0, out.data(), out.size() > read.size ? 0 : out.size());
  }

  void set_owner(const fuse_in_header& in, const fuse_setattr_in& set) {
    Entry* entry = find(in.nodeid);
    if (entry != nullptr && (set.valid & FATTR_UID) != 0) {
      entry->uid[in.nodeid % kStride == 0 ? files : file_of(in.nodeid)] = set.uid;
    }
    fuse_attr_out out{};
    out.attr = attr(in.nodeid);
    reply(in, 0, &out, sizeof out);
  }

  void open_file(const fuse_in_header& in, uint32_t flags) {
    if (find(in.nodeid) == nullptr) return reply(in, ENOENT);
    if ((flags & O_ACCMODE) != (written(file_of(in.nodeid)) ? O_WRONLY : O_RDONLY)) return reply(in, EACCES);
    fuse_open_out out{};
    out.fh = next_handle++;
    out.open_flags = FOPEN_DIRECT_IO;
    openings[out.fh].node = in.nodeid;
    reply(in, 0, &out, sizeof out);
  }

  // tsm_report_read(): 0 or an errno.
  int read_report(Entry& entry, bool certificates, std::vector<uint8_t>& out) {
    if (entry.input_size == 0) return EINVAL;
    if (!certificates && kernel.would_block > 0) {
      --kernel.would_block;
      return EWOULDBLOCK;
    }
    if (!entry.reported || entry.read_generation != entry.write_generation) {
      entry.reported = false;
      entry.report = firmware(entry.input);
      if (entry.report.error != 0) return entry.report.error;
      entry.reported = true;
      entry.read_generation = entry.write_generation;
    }
    out = certificates ? entry.report.auxblob : entry.report.outblob;
    if (!certificates && kernel.other_writers > 0) {
      --kernel.other_writers;
      entry.input.fill(0xee);
      ++entry.write_generation;
    }
    return out.size() > kernel.max_outblob ? EFBIG : 0;
  }

  int fill(Opening& opening, Entry& entry) {
    auto text = [&opening](const std::string& line) { opening.content.assign(line.begin(), line.end()); };
    switch (file_of(opening.node)) {
      case provider: text(provider_name + "\n"); return 0;
      case generation: text(std::to_string(entry.write_generation) + "\n"); return 0;
      case level_floor: text(std::to_string(kernel.privlevel_floor) + "\n"); return 0;
      case outblob: return read_report(entry, false, opening.content);
      case auxblob: return read_report(entry, true, opening.content);
      default: return EACCES;
    }
  }

  void read_file(const fuse_in_header& in, const fuse_read_in& read) {
    Opening& opening = openings[read.fh];
    Entry* entry = find(opening.node);
    if (entry == nullptr) return reply(in, ENOENT);
    if (!opening.filled) {
      if (const int error = fill(opening, *entry); error != 0) return reply(in, error);
      opening.filled = !opening.content.empty();
    }
    const Bytes part = Bytes(opening.content).skip(read.offset).first(read.size);
    reply(in, 0, part.data(), part.size());
  }

  // A text attribute counts at each write.
  int set_privlevel(Entry& entry, const std::string& text) {
    char* end = nullptr;
    const unsigned long value = std::strtoul(text.c_str(), &end, 0);
    if (end == text.c_str() || (*end != 0 && *end != '\n')) return EINVAL;
    if (value < kernel.privlevel_floor || value > kMaxPrivlevel) return EINVAL;
    entry.privlevel = static_cast<unsigned>(value);
    ++entry.write_generation;
    return 0;
  }

  void write_file(const fuse_in_header& in, const fuse_write_in& write, const uint8_t* data) {
    Opening& opening = openings[write.fh];
    Entry* entry = find(opening.node);
    if (entry == nullptr) return reply(in, ENOENT);
    if (file_of(opening.node) == level) {
      const int error = set_privlevel(*entry, std::string(reinterpret_cast<const char*>(data), write.size));
      if (error != 0) return reply(in, error);
    } else {
      const uint64_t end = write.offset + write.size;
      if (end > entry->input.size()) return reply(in, EFBIG);
      if (end > opening.content.size()) opening.content.resize(end);
      std::copy(data, data + write.size, opening.content.begin() + static_cast<ptrdiff_t>(write.offset));
      opening.wrote = true;
    }
    fuse_write_out out{};
    out.size = write.size;
    reply(in, 0, &out, sizeof out);
  }

  // configfs_release_bin_file(): FUSE tells of the release only later, but flushes at every close.
  void close_file(const fuse_in_header& in, uint64_t handle) {
    Opening& opening = openings[handle];
    Entry* entry = find(opening.node);
    if (opening.wrote && entry != nullptr) {
      opening.wrote = false;
      if (kernel.lost_writes > 0) {
        --kernel.lost_writes;
      } else {
        ++entry->write_generation;
        entry->input_size = opening.content.size();
        std::copy(opening.content.begin(), opening.content.end(), entry->input.begin());
      }
    }
    reply(in, 0);
  }

  void handle(const fuse_in_header& in, const uint8_t* body) {
    std::lock_guard<std::mutex> hold(lock);
    const char* name = reinterpret_cast<const char*>(body);
    switch (in.opcode) {
      case FUSE_INIT: {
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = 31;
        out.max_write = 65536;
        return reply(in, 0, &out, sizeof out);
      }
      case FUSE_LOOKUP: return lookup(in, name);
      case FUSE_GETATTR: {
        fuse_attr_out out{};
        out.attr = attr(in.nodeid);
        return reply(in, 0, &out, sizeof out);
      }
      case FUSE_SETATTR: return set_owner(in, *reinterpret_cast<const fuse_setattr_in*>(body));
      case FUSE_MKDIR: return make_entry(in, name + sizeof(fuse_mkdir_in));
      case FUSE_RMDIR: return remove_entry(in, name);
      case FUSE_OPEN: return open_file(in, reinterpret_cast<const fuse_open_in*>(body)->flags);
      case FUSE_READ: return read_file(in, *reinterpret_cast<const fuse_read_in*>(body));
      case FUSE_WRITE:
        return write_file(in, *reinterpret_cast<const fuse_write_in*>(body), body + sizeof(fuse_write_in));
      case FUSE_READDIR: return list(in, *reinterpret_cast<const fuse_read_in*>(body));
      case FUSE_FLUSH: return close_file(in, reinterpret_cast<const fuse_flush_in*>(body)->fh);
      case FUSE_RELEASE:
        openings.erase(reinterpret_cast<const fuse_release_in*>(body)->fh);
        return reply(in, 0);
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT: return;
      default: return reply(in, ENOSYS);
    }
  }

  void serve() {
    std::vector<uint8_t> buffer(256 * 1024);
    for (;;) {
      const ssize_t n = read(fuse.get(), buffer.data(), buffer.size() - 1);
      if (n < 0 && (errno == EINTR || errno == ENOENT)) continue;
      if (n < static_cast<ssize_t>(sizeof(fuse_in_header))) return;  // unmounted
      buffer[static_cast<size_t>(n)] = 0;
      fuse_in_header in;
      std::memcpy(&in, buffer.data(), sizeof in);
      handle(in, buffer.data() + sizeof in);
    }
  }
};

TsmFolder::TsmFolder() : state_(std::make_unique<State>()) {}

std::unique_ptr<TsmFolder> TsmFolder::mount(std::string name, TsmFirmware firmware) {
  std::unique_ptr<TsmFolder> out(new TsmFolder());
  State& s = *out->state_;
  char pattern[] = "/tmp/cstl-tsm-XXXXXX";
  if (mkdtemp(pattern) == nullptr) give_up("no temporary folder");
  s.folder = pattern;
  s.provider_name = std::move(name);
  s.firmware = std::move(firmware);
  s.fuse = Fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!s.fuse.valid()) give_up("/dev/fuse");
  const std::string options =
      "fd=" + std::to_string(s.fuse.get()) + ",rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions";
  if (::mount("cstl-tsm", s.folder.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) give_up("mount");
  s.thread = std::thread([&s] { s.serve(); });
  return out;
}

TsmFolder::~TsmFolder() {
  State& s = *state_;
  (void)umount2(s.folder.c_str(), MNT_DETACH);
  s.thread.join();
  (void)rmdir(s.folder.c_str());
}

const std::string& TsmFolder::path() const { return state_->folder; }

size_t TsmFolder::entries() const {
  std::lock_guard<std::mutex> hold(state_->lock);
  return state_->entries.size();
}

unsigned TsmFolder::privlevel() const {
  std::lock_guard<std::mutex> hold(state_->lock);
  return state_->entries.empty() ? 0 : state_->entries.rbegin()->second.privlevel;
}

void TsmFolder::behave(const TsmKernel& kernel) {
  std::lock_guard<std::mutex> hold(state_->lock);
  state_->kernel = kernel;
}

}  // namespace cstl::test
