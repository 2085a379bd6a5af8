#include "svc/run/exporter.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "attest/atls/session.h"

namespace cstl {

namespace {
constexpr int kBacklog = 64;

// Where `listener` listens; refused unless that is this machine alone.
Result<std::string> loopback_endpoint(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) return fail_errno("exporter.address");
  if (address.ss_family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    const uint32_t host = ntohl(v4->sin_addr.s_addr);
    char text[INET_ADDRSTRLEN] = "";
    if (host >> 24 != IN_LOOPBACKNET) return fail(Code::bad_value, "exporter.not_loopback");
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
  if (!IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)) return fail(Code::bad_value, "exporter.not_loopback");
  return "[::1]:" + std::to_string(ntohs(v6->sin6_port));
}
}  // namespace

Result<std::unique_ptr<Exporter>> Exporter::start(std::string_view endpoint) {
  TRY_LET(Fd listener, listen_tcp(endpoint, kBacklog));
  TRY_LET(std::string where, loopback_endpoint(listener.get()));
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail_errno("exporter.pair");
  Fd ours(pair[0]), childs(pair[1]);
  // World-readable whatever the process became; without it two figures are missing.
  auto statm = open_file(("/proc/" + std::to_string(getpid()) + "/statm").c_str(), O_RDONLY);
  if (signal(SIGCHLD, SIG_IGN) == SIG_ERR) return fail_errno("exporter.sigchld");  // it leaves no zombie
  const pid_t child = fork();
  if (child < 0) return fail_errno("exporter.fork");
  if (child == 0) {
    ours = Fd();
    run_exporter(std::move(listener), std::move(childs), statm.ok() ? std::move(*statm) : Fd());
  }
  childs = Fd();
  uint8_t confined = 0;
  if (!read_exact(ours.get(), MutBytes(&confined, 1)).ok()) return fail(Code::sandbox_failed, "exporter.child");
  std::unique_ptr<Exporter> exporter = over(std::move(ours));
  exporter->endpoint_ = std::move(where);
  return exporter;
}

std::unique_ptr<Exporter> Exporter::over(Fd child) {
  const int flags = fcntl(child.get(), F_GETFL);
  if (flags < 0 || fcntl(child.get(), F_SETFL, flags | O_NONBLOCK) != 0) trap("exporter.non_blocking");
  return std::unique_ptr<Exporter>(new Exporter(std::move(child), ""));
}

void Exporter::serve(Metrics& metrics, ExporterHooks hooks) {
  metrics_ = &metrics;
  hooks_ = std::move(hooks);
}

void Exporter::prepare(PollSet& set) {
  position_ = SIZE_MAX;
  if (child_.valid() && metrics_ != nullptr) position_ = set.add(child_.get(), output_.empty() ? POLLIN : POLLOUT);
}

void Exporter::dispatch(const PollSet& set) {
  if (position_ == SIZE_MAX || set.ready(position_) == 0) return;
  Status status = turn();
  if (status.ok()) return;
  child_ = Fd();
  output_.clear();
  if (hooks_.on_ended) hooks_.on_ended(status.error());
}

// One question at most: others of the loop have their turn between two.
Status Exporter::turn() {
  if (output_.empty()) {
    uint8_t question[2];
    const ssize_t n = read(child_.get(), question, sizeof question);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return success();
    if (n < 0) return fail_errno("exporter.read");
    if (n == 0) return fail(Code::closed, "exporter.read");
    if (n != sizeof question) return fail(Code::truncated, "exporter.question");  // both bytes come at once
    switch (static_cast<Question>(question[0])) {
      case Question::metrics:
      case Question::health:
      case Question::readiness: answer(static_cast<Question>(question[0]), question[1]); break;
      default: return fail(Code::bad_value, "exporter.question");
    }
  }
  while (sent_ < output_.size()) {
    const ssize_t n = send(child_.get(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return success();
    if (n < 0) return fail_errno("exporter.send");
    sent_ += static_cast<size_t>(n);
  }
  output_.clear();
  sent_ = 0;
  return success();
}

void Exporter::answer(Question question, uint8_t which) {
  const char* reason = question == Question::readiness && hooks_.not_ready ? hooks_.not_ready() : nullptr;
  std::string text = question == Question::metrics ? metrics_->text() : reason != nullptr ? reason : "ok";
  bool ok = reason == nullptr;
  if (text.size() > kMaxExporterText) {
    text = "too much text";
    ok = false;
  }
  const auto size = static_cast<uint32_t>(text.size());
  const uint8_t head[kExporterHead] = {which, static_cast<uint8_t>(ok), static_cast<uint8_t>(size >> 24),
                                       static_cast<uint8_t>(size >> 16), static_cast<uint8_t>(size >> 8),
                                       static_cast<uint8_t>(size)};
  output_.assign(reinterpret_cast<const char*>(head), sizeof head);
  output_ += text;
  sent_ = 0;
}

}  // namespace cstl
