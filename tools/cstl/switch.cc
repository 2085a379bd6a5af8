#include "tools/cstl/switch.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include "tools/cstl/process.h"

namespace cstl::cli {

namespace {
constexpr size_t kMaxFrame = 65536 + 64;
constexpr size_t kMinFrame = 14;
constexpr size_t kMaxAddresses = 1024;
constexpr size_t kMaxSockets = 1024;
constexpr int kSendUs = 5000;
constexpr int kTellMs = 10000;
const std::string kOwn = std::string(kAnchor) + "/lan/switch.sock";

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  path.copy(out.sun_path, sizeof out.sun_path - 1);
  return out;
}

std::string socket_of(const std::string& name) { return std::string(kAnchor) + "/" + name + "/lan.sock"; }

// The name in "…/NAME/lan.sock"; empty for any other path.
std::string name_of(std::string_view path) {
  size_t end = path.rfind('/');
  if (end == std::string_view::npos || end == 0 || path.substr(end) != "/lan.sock") return "";
  size_t begin = path.rfind('/', end - 1);
  return begin == std::string_view::npos ? "" : std::string(path.substr(begin + 1, end - begin - 1));
}

uint64_t mac_at(Bytes frame, size_t at) {
  uint64_t out = 0;
  for (size_t i = 0; i < 6; ++i) out = out << 8 | frame[at + i];
  return out;
}

void put32(uint8_t* at, uint64_t value) {
  auto number = static_cast<uint32_t>(value);
  std::memcpy(at, &number, sizeof number);  // host byte order: the magic number tells which
}

class Switch {
 public:
  Status open_socket();
  [[noreturn]] void run();

 private:
  void send(const std::string& name, Bytes frame);
  void flood(Bytes frame, const std::string& from, bool uplink);
  void obey(const msghdr& message);
  void record(Bytes frame);

  Fd own_;
  Fd capture_;
  MacTable table_;
  // One for each machine: what one does not take must not fill the buffer that others are sent from.
  std::unordered_map<std::string, Fd> senders_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kMaxFrame);
};

Status Switch::open_socket() {
  own_ = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  (void)unlink(kOwn.c_str());
  sockaddr_un address = unix_address(kOwn);
  if (!own_.valid() || bind(own_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno("switch.bind");
  }
  return success();
}

void Switch::send(const std::string& name, Bytes frame) {
  auto found = senders_.find(name);
  if (found == senders_.end()) {
    if (senders_.size() >= kMaxSockets) senders_.clear();
    Fd made(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    timeval limit{0, kSendUs};
    if (!made.valid() || setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) return;
    found = senders_.emplace(name, std::move(made)).first;
  }
  sockaddr_un address = unix_address(socket_of(name));
  // A frame that cannot be delivered is lost, as on any network.
  (void)sendto(found->second.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

void Switch::flood(Bytes frame, const std::string& from, bool uplink) {
  DIR* list = opendir(kAnchor);
  if (list == nullptr) return;
  while (const dirent* entry = readdir(list)) {
    std::string name = entry->d_name;
    if (name[0] == '.' || name == from || (name == kUplink && !uplink)) continue;
    if (access(socket_of(name).c_str(), F_OK) == 0) send(name, frame);
  }
  closedir(list);
}

// A message with descriptors is no frame but a command: the first one is closed when it is done, the second one is the
// file to write from now on.
void Switch::obey(const msghdr& message) {
  for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(header))) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::vector<Fd> taken;
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      taken.emplace_back(fd);
    }
    capture_ = count > 1 ? std::move(taken[1]) : Fd();
    if (!capture_.valid()) continue;
    uint8_t head[24] = {};
    put32(head, 0xa1b2c3d4);
    head[4] = 2;   // version 2.4
    head[6] = 4;
    put32(head + 16, kMaxFrame);
    put32(head + 20, 1);  // Ethernet
    if (!write_all(capture_.get(), Bytes(head, sizeof head)).ok()) capture_ = Fd();
  }
}

void Switch::record(Bytes frame) {
  if (!capture_.valid()) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  uint8_t head[16];
  put32(head, static_cast<uint64_t>(now.tv_sec));
  put32(head + 4, static_cast<uint64_t>(now.tv_nsec / 1000));
  put32(head + 8, frame.size());
  put32(head + 12, frame.size());
  bool written = write_all(capture_.get(), Bytes(head, sizeof head)).ok() && write_all(capture_.get(), frame).ok();
  if (!written) capture_ = Fd();  // the disk is full: the reader sees where the file ends
}

void Switch::run() {
  for (;;) {
    sockaddr_un from{};
    iovec space{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from - 1;  // leaves a NUL
    message.msg_iov = &space;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = recvmsg(own_.get(), &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) _exit(1);
    if (message.msg_controllen > 0) {
      obey(message);
      continue;
    }
    Bytes frame(buffer_.data(), static_cast<size_t>(got));
    std::string name = message.msg_namelen > 0 ? name_of(from.sun_path) : "";
    if (name.empty()) continue;
    record(frame);
    MacTable::Way way = table_.route(frame, name);
    if (way.kind == MacTable::Kind::one) send(way.name, frame);
    if (way.kind == MacTable::Kind::machines) flood(frame, name, false);
    if (way.kind == MacTable::Kind::all) flood(frame, name, true);
  }
}
}  // namespace

std::string lan_port(const std::string& name) {
  return "local.type=unix,local.path=" + socket_of(name) + ",remote.type=unix,remote.path=" + kOwn;
}

MacTable::Way MacTable::route(Bytes frame, const std::string& from) {
  if (frame.size() < kMinFrame) return {};
  constexpr uint64_t kGroup = uint64_t{1} << 40;
  uint64_t to = mac_at(frame, 0);
  uint64_t sender = mac_at(frame, 6);
  if ((sender & kGroup) == 0) {
    if (names_.size() >= kMaxAddresses && names_.find(sender) == names_.end()) names_.clear();
    names_[sender] = from;
  }
  if ((to & kGroup) != 0) return {Kind::all, ""};
  if (to >> 32 == 0x5255) return from == kUplink ? Way{} : Way{Kind::one, kUplink};  // how user-mode networking is known
  auto found = names_.find(to);
  if (found == names_.end()) return {Kind::machines, ""};
  return found->second == from ? Way{} : Way{Kind::one, found->second};
}

int run_switch() {
  Switch lan;
  if (!lan.open_socket().ok()) return 1;
  pid_t child = fork();
  if (child < 0) return 1;
  if (child > 0) return write_file_durably("switch.pid", std::to_string(child)).ok() ? 0 : 1;
  (void)setsid();  // cannot fail in a child that was just made
  if (chdir("/") != 0) _exit(1);
  lan.run();
}

Status tell_switch(const std::string& folder, Fd file) {
  TRY_LET(Fd place, open_file(folder.c_str(), O_RDONLY | O_DIRECTORY));
  Fd out(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  int ends[2];
  if (!out.valid() || pipe2(ends, O_CLOEXEC) != 0) return fail_errno("switch.tell");
  Fd done(ends[0]);
  Fd given(ends[1]);
  int fds[2] = {given.get(), file.get()};
  size_t count = file.valid() ? 2 : 1;
  char byte = 0;
  iovec space{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
  sockaddr_un address = unix_address("/proc/self/fd/" + std::to_string(place.get()) + "/switch.sock");
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = sizeof address;
  message.msg_iov = &space;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  if (sendmsg(out.get(), &message, 0) < 0) return fail(Code::no_virtualization, "switch.tell", Origin::errno_value, errno);
  given = Fd();
  pollfd waiting{done.get(), POLLIN, 0};
  return poll(&waiting, 1, kTellMs) > 0 ? success() : Status(fail(Code::timeout, "switch.tell"));
}

}  // namespace cstl::cli
