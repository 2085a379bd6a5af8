#include <fcntl.h>
#include <microhttpd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "svc/run/exporter.h"

namespace cstl {

namespace {
constexpr unsigned kConnections = 32;
constexpr size_t kUndisturbed = 16;     // beyond as many, the oldest has to go: who sleeps keeps nobody out
constexpr unsigned kIdleSeconds = 5;
constexpr size_t kRequestBytes = 8192;
constexpr int64_t kConnectionMs = 10'000;
constexpr int64_t kAnswerMs = 3'000;
constexpr int64_t kFreshMs = 250;       // an answer serves for that long

struct Path {
  const char* path;
  Question question;
  const char* type;
};
constexpr Path kPaths[] = {{"/metrics", Question::metrics, "text/plain; version=0.0.4; charset=utf-8"},
                           {"/healthz", Question::health, "text/plain; charset=utf-8"},
                           {"/readyz", Question::readiness, "text/plain; charset=utf-8"}};
constexpr size_t kPathCount = sizeof kPaths / sizeof kPaths[0];

// Asks the service, waiting for its answer: this process has nothing else to do.
class Service {
 public:
  struct Reply {
    bool answered = false, ok = false;
    std::string text;
    int64_t when = INT64_MIN / 2;
  };

  Service(Fd socket, Fd statm) : socket_(std::move(socket)), statm_(std::move(statm)) {}
  int fd() const { return socket_.get(); }

  const Reply& ask(size_t path) {
    Reply& reply = replies_[path];
    if (monotonic_ms() - reply.when < kFreshMs) return reply;
    reply = wait_for(kPaths[path].question);
    if (reply.answered && reply.ok && kPaths[path].question == Question::metrics) reply.text += memory_text();
    reply.when = monotonic_ms();
    return reply;
  }

 private:
  // An answer that comes too late is dropped when the next one is waited for. Ends with the service.
  Reply wait_for(Question question) {
    const int64_t deadline = monotonic_ms() + kAnswerMs;
    const uint8_t request[2] = {static_cast<uint8_t>(question), ++which_};
    if (write(socket_.get(), request, sizeof request) != sizeof request) return {};  // full: it answers nobody
    for (;;) {
      if (std::optional<Reply> reply = take()) return std::move(*reply);
      const int64_t left = deadline - monotonic_ms();
      if (left <= 0) return {};
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (poll(&waiting, 1, static_cast<int>(left)) <= 0) continue;
      char chunk[16384];
      const ssize_t n = read(socket_.get(), chunk, sizeof chunk);
      if (n > 0) {
        input_.append(chunk, static_cast<size_t>(n));
      } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        _exit(0);
      }
    }
  }

  // The answer to the last question, once it is complete.
  std::optional<Reply> take() {
    for (;;) {
      if (input_.size() < kExporterHead) return std::nullopt;
      auto byte = [this](size_t at) { return static_cast<uint8_t>(input_[at]); };
      const size_t size = size_t{byte(2)} << 24 | size_t{byte(3)} << 16 | size_t{byte(4)} << 8 | size_t{byte(5)};
      if (size > kMaxExporterText) _exit(1);
      if (input_.size() - kExporterHead < size) return std::nullopt;
      Reply reply;
      reply.answered = true;
      reply.ok = byte(1) == 1;
      reply.text = input_.substr(kExporterHead, size);
      const bool expected = byte(0) == which_;
      input_.erase(0, kExporterHead + size);
      if (expected) return reply;
    }
  }

  // proc(5): size and resident set in pages.
  std::string memory_text() const {
    char text[128] = "";
    const ssize_t n = statm_.valid() ? pread(statm_.get(), text, sizeof text - 1, 0) : -1;
    if (n <= 0) return "";
    char* end = nullptr;
    const unsigned long long size = std::strtoull(text, &end, 10), resident = std::strtoull(end, nullptr, 10);
    const auto page = static_cast<unsigned long long>(page_);
    return "# HELP process_virtual_memory_bytes Size of the address space.\n# TYPE process_virtual_memory_bytes gauge\n"
           "process_virtual_memory_bytes " + std::to_string(size * page) +
           "\n# HELP process_resident_memory_bytes Memory in use.\n# TYPE process_resident_memory_bytes gauge\n"
           "process_resident_memory_bytes " + std::to_string(resident * page) + "\n";
  }

  Fd socket_, statm_;
  long page_ = sysconf(_SC_PAGESIZE);
  uint8_t which_ = 0;
  std::string input_;
  std::array<Reply, kPathCount> replies_;
};

// The library's daemon as part of a Loop: it waits by one epoll descriptor.
class Front final : public Participant {
 public:
  explicit Front(Service& service) : service_(service) {}

  Status start(Fd listener) {
    daemon_ = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_THREAD_SAFETY | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, nullptr, nullptr,
                               &Front::on_request, this, MHD_OPTION_LISTEN_SOCKET, listener.get(),
                               MHD_OPTION_CONNECTION_LIMIT, kConnections, MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds,
                               MHD_OPTION_CONNECTION_MEMORY_LIMIT, kRequestBytes, MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
                               MHD_OPTION_NOTIFY_CONNECTION, &Front::on_connection, this, MHD_OPTION_END);
    if (daemon_ == nullptr) return fail_errno("exporter.daemon");
    (void)listener.release();  // the daemon's
    const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == nullptr || info->epoll_fd < 0) return fail(Code::internal, "exporter.epoll");
    epoll_ = info->epoll_fd;
    return success();
  }

  void prepare(PollSet& set) override {
    (void)set.add(epoll_, POLLIN);
    service_position_ = set.add(service_.fd(), 0);
    MHD_UNSIGNED_LONG_LONG wait = 0;
    if (MHD_get_timeout(daemon_, &wait) == MHD_YES) set.wake_by(monotonic_ms() + static_cast<int64_t>(wait));
    for (const Open& open : open_) set.wake_by(open.deadline);
  }

  void dispatch(const PollSet& set) override {
    if (set.ready(service_position_) != 0) _exit(0);
    const int64_t now = monotonic_ms();
    for (Open& open : open_) {
      if (open.deadline > now) continue;
      const MHD_ConnectionInfo* info = MHD_get_connection_info(open.connection, MHD_CONNECTION_INFO_CONNECTION_FD);
      if (info != nullptr) (void)shutdown(info->connect_fd, SHUT_RDWR);  // the library sees that, and ends it
      open.deadline = kNoDeadline;
    }
    if (MHD_run(daemon_) != MHD_YES) _exit(1);
  }

 private:
  struct Open {
    MHD_Connection* connection;
    int64_t deadline;
  };

  static void on_connection(void* self, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode what) {
    auto& open = static_cast<Front*>(self)->open_;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
      open.push_back(Open{connection, monotonic_ms() + kConnectionMs});
      size_t staying = 0;
      for (auto one = open.rbegin(); one != open.rend(); ++one) {
        if (one->deadline != kNoDeadline && ++staying > kUndisturbed) one->deadline = 0;
      }
    } else {
      open.erase(std::remove_if(open.begin(), open.end(), [&](const Open& o) { return o.connection == connection; }), open.end());
    }
  }

  static MHD_Result reply(MHD_Connection* connection, unsigned status, const char* type, std::string_view text, bool allow = false) {
    MHD_Response* response = MHD_create_response_from_buffer_copy(text.size(), text.data());
    if (response == nullptr) return MHD_NO;
    bool made = MHD_add_response_header(response, "Content-Type", type) == MHD_YES &&
                MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    if (allow) made = made && MHD_add_response_header(response, "Allow", "GET, HEAD") == MHD_YES;
    const MHD_Result queued = made ? MHD_queue_response(connection, status, response) : MHD_NO;
    MHD_destroy_response(response);
    return queued;
  }

  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                               const char*, size_t*, void**) {
    constexpr const char* kPlain = "text/plain; charset=utf-8";
    if (std::strcmp(method, "GET") != 0 && std::strcmp(method, "HEAD") != 0) {
      return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, kPlain, "only GET and HEAD\n", true);
    }
    size_t path = 0;
    while (path < kPathCount && std::strcmp(url, kPaths[path].path) != 0) ++path;
    if (path == kPathCount) return reply(connection, MHD_HTTP_NOT_FOUND, kPlain, "/metrics, /healthz, /readyz\n");
    const Service::Reply& answer = static_cast<Front*>(self)->service_.ask(path);
    if (!answer.answered) return reply(connection, MHD_HTTP_SERVICE_UNAVAILABLE, kPlain, "the service does not answer\n");
    return reply(connection, answer.ok ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, kPaths[path].type,
                 kPaths[path].question == Question::metrics ? answer.text : answer.text + "\n");
  }

  Service& service_;
  MHD_Daemon* daemon_ = nullptr;
  int epoll_ = -1;
  size_t service_position_ = SIZE_MAX;
  std::vector<Open> open_;
};

Status serve_http(Fd listener, Fd socket, Fd statm) {
  const int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("exporter.non_blocking");
  const int told = socket.get();
  Service service(std::move(socket), std::move(statm));
  Front front(service);
  TRY(front.start(std::move(listener)));
  Loop loop;
  loop.add(front);
  (void)prctl(PR_SET_NAME, "cstl-exporter");  // for people who look at processes
  TRY(lock_down_child(kExporterUid, kExporterSeccomp, kExporterLandlock));
  const uint8_t confined = 1;
  if (write(told, &confined, 1) != 1) return fail_errno("exporter.ready");
  return loop.run();
}
}  // namespace

[[noreturn]] void run_exporter(Fd listener, Fd service, Fd statm) {
  (void)serve_http(std::move(listener), std::move(service), std::move(statm));
  _exit(1);
}

}  // namespace cstl
