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

constexpr const char* kFiles[] = {"provider", "inblob", "outblob", "auxblob", "generation"};
enum File : unsigned { provider, inblob, outblob, auxblob, generation, files };
constexpr uint64_t kStride = 16;  // node ids: entry e is e * kStride, its files follow

struct Entry {
  std::string name;
  std::vector<uint8_t> written;      // inblob, not closed yet
  Digest64 report_data{};
  bool has_input = false;
  unsigned generation = 0;
  uint32_t uid[files + 1] = {};
};
}  // namespace

struct TsmFolder::State {
  std::string folder, provider_name;
  TsmFirmware firmware;
  Fd fuse;
  std::thread thread;
  mutable std::mutex lock;
  std::map<uint64_t, Entry> entries;           // by node id
  std::map<uint64_t, std::vector<uint8_t>> open;  // content, by handle
  uint64_t next_entry = 1, next_handle = 1;

  void reply(const fuse_in_header& in, int error, const void* data = nullptr, size_t size = 0) {
    fuse_out_header out{};
    out.len = static_cast<uint32_t>(sizeof out + size);
    out.error = -error;
    out.unique = in.unique;
    iovec parts[] = {{&out, sizeof out}, {const_cast<void*>(data), size}};
    (void)writev(fuse.get(), parts, size == 0 ? 1 : 2);  // the asker may be gone
  }

  fuse_attr attr(uint64_t node) const {
    fuse_attr out{};
    out.ino = node;
    out.nlink = 1;
    out.blksize = 4096;
    if (node == FUSE_ROOT_ID || node % kStride == 0) {
      out.mode = S_IFDIR | 0755;
      out.nlink = 2;
      if (auto at = entries.find(node); at != entries.end()) {
        out.mode = S_IFDIR | 0700;
        out.uid = at->second.uid[files];
      }
      return out;
    }
    const unsigned file = static_cast<unsigned>(node % kStride - 1);
    out.mode = S_IFREG | (file == inblob ? 0200u : 0400u);
    out.size = 4096;
    if (auto at = entries.find(node - node % kStride); at != entries.end()) out.uid = at->second.uid[file];
    return out;
  }

  void reply_entry(const fuse_in_header& in, uint64_t node) {
    fuse_entry_out out{};
    out.nodeid = node;
    out.attr = attr(node);
    reply(in, 0, &out, sizeof out);
  }

  void lookup(const fuse_in_header& in, const char* name) {
    if (in.nodeid == FUSE_ROOT_ID) {
      for (const auto& [node, entry] : entries) {
        if (entry.name == name) return reply_entry(in, node);
      }
      return reply(in, ENOENT);
    }
    if (entries.count(in.nodeid) == 0) return reply(in, ENOENT);
    for (unsigned i = 0; i < files; ++i) {
      if (std::string(name) == kFiles[i]) return reply_entry(in, in.nodeid + 1 + i);
    }
    reply(in, ENOENT);
  }

  void open_file(const fuse_in_header& in) {
    auto at = entries.find(in.nodeid - in.nodeid % kStride);
    if (at == entries.end()) return reply(in, ENOENT);
    Entry& entry = at->second;
    const unsigned file = static_cast<unsigned>(in.nodeid % kStride - 1);
    std::vector<uint8_t> content;
    auto text = [&content](const std::string& line) { content.assign(line.begin(), line.end()); };
    if (file == provider) text(provider_name + "\n");
    if (file == generation) text(std::to_string(entry.generation) + "\n");
    if (file == inblob) entry.written.clear();
    if (file == outblob || file == auxblob) {
      if (!entry.has_input) return reply(in, EINVAL);
      TsmAnswer answer = firmware(entry.report_data);
      if (answer.error != 0) return reply(in, answer.error);
      content = file == outblob ? answer.outblob : answer.auxblob;
    }
    fuse_open_out out{};
    out.fh = next_handle++;
    out.open_flags = FOPEN_DIRECT_IO;
    open[out.fh] = std::move(content);
    reply(in, 0, &out, sizeof out);
  }

  void flush(const fuse_in_header& in) {
    auto at = entries.find(in.nodeid - in.nodeid % kStride);
    if (at == entries.end() || in.nodeid % kStride - 1 != inblob) return reply(in, 0);
    Entry& entry = at->second;
    if (entry.written.empty() || entry.written.size() > entry.report_data.size()) return reply(in, EINVAL);
    entry.report_data = {};
    std::copy(entry.written.begin(), entry.written.end(), entry.report_data.begin());
    entry.has_input = true;
    ++entry.generation;
    reply(in, 0);
  }

  void handle(const fuse_in_header& in, const uint8_t* body) {
    std::lock_guard<std::mutex> hold(lock);
    switch (in.opcode) {
      case FUSE_INIT: {
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = 31;
        out.max_write = 65536;
        return reply(in, 0, &out, sizeof out);
      }
      case FUSE_LOOKUP: return lookup(in, reinterpret_cast<const char*>(body));
      case FUSE_GETATTR: {
        fuse_attr_out out{};
        out.attr = attr(in.nodeid);
        return reply(in, 0, &out, sizeof out);
      }
      case FUSE_SETATTR: {
        const auto* set = reinterpret_cast<const fuse_setattr_in*>(body);
        auto at = entries.find(in.nodeid - in.nodeid % kStride);
        if (at != entries.end() && (set->valid & FATTR_UID) != 0) {
          at->second.uid[in.nodeid % kStride == 0 ? files : in.nodeid % kStride - 1] = set->uid;
        }
        fuse_attr_out out{};
        out.attr = attr(in.nodeid);
        return reply(in, 0, &out, sizeof out);
      }
      case FUSE_MKDIR: {
        if (in.nodeid != FUSE_ROOT_ID) return reply(in, EPERM);
        const char* name = reinterpret_cast<const char*>(body + sizeof(fuse_mkdir_in));
        for (const auto& [node, entry] : entries) {
          if (entry.name == name) return reply(in, EEXIST);
        }
        const uint64_t node = next_entry++ * kStride;
        entries[node].name = name;
        return reply_entry(in, node);
      }
      case FUSE_RMDIR: {
        for (auto at = entries.begin(); at != entries.end(); ++at) {
          if (at->second.name != reinterpret_cast<const char*>(body)) continue;
          entries.erase(at);
          return reply(in, 0);
        }
        return reply(in, ENOENT);
      }
      case FUSE_OPEN: return open_file(in);
      case FUSE_READ: {
        const auto* read = reinterpret_cast<const fuse_read_in*>(body);
        const Bytes part = Bytes(open[read->fh]).skip(read->offset).first(read->size);
        return reply(in, 0, part.data(), part.size());
      }
      case FUSE_WRITE: {
        const auto* write = reinterpret_cast<const fuse_write_in*>(body);
        Entry& entry = entries[in.nodeid - in.nodeid % kStride];
        const uint8_t* data = body + sizeof(fuse_write_in);
        entry.written.insert(entry.written.end(), data, data + write->size);
        fuse_write_out out{};
        out.size = write->size;
        return reply(in, 0, &out, sizeof out);
      }
      case FUSE_FLUSH: return flush(in);
      case FUSE_RELEASE:
        open.erase(reinterpret_cast<const fuse_release_in*>(body)->fh);
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

}  // namespace cstl::test
