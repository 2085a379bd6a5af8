#include "attest/platform/metadata.h"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

#include "attest/platform/http_answer.h"
#include "crypto/base/address.h"
#include "crypto/base/fd.h"

namespace cstl {

namespace {
constexpr int kTimeoutMs = 30'000;  // the quoting service behind it takes seconds
constexpr size_t kMaxHead = 16 * 1024;
constexpr std::string_view kScheme = "http://";

Error failed(const char* site, int error) { return fail(Code::metadata_failed, site, Origin::errno_value, error); }

Result<Endpoint> endpoint_of(const std::string& base) {
  if (base.compare(0, kScheme.size(), kScheme) != 0) return fail(Code::metadata_failed, "metadata.base");
  const std::string authority = base.substr(kScheme.size());
  auto with_port = parse_endpoint(authority);
  if (with_port.ok()) return with_port;
  auto standard = parse_endpoint(authority + ":80");
  if (!standard.ok()) return fail(Code::metadata_failed, "metadata.base");
  return standard;
}

Status wait_for(int fd, short events, int64_t end) {
  for (;;) {
    const int64_t left = end - monotonic_ms();
    if (left <= 0) return failed("metadata.timeout", ETIMEDOUT);
    pollfd waiting{fd, events, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(left));
    if (ready > 0) return success();
    if (ready < 0 && errno != EINTR) return failed("metadata.poll", errno);
  }
}

Result<Fd> connected(const Endpoint& service, int64_t end) {
  sockaddr_storage address{};
  const socklen_t size = service.fill(&address);
  Fd fd(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed("metadata.socket", errno);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0) return fd;
  if (errno != EINPROGRESS) return failed("metadata.connect", errno);
  TRY(wait_for(fd.get(), POLLOUT, end));
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return failed("metadata.connect", error);
  return fd;
}

Status send_all(int fd, Bytes data, int64_t end) {
  while (!data.empty()) {
    TRY(wait_for(fd, POLLOUT, end));
    const ssize_t n = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return failed("metadata.send", errno);
    if (n > 0) data = data.skip(static_cast<size_t>(n));
  }
  return success();
}

Result<std::vector<uint8_t>> receive_all(int fd, int64_t end) {
  std::vector<uint8_t> out;
  uint8_t part[4096];
  for (;;) {
    TRY(wait_for(fd, POLLIN, end));
    const ssize_t n = recv(fd, part, sizeof part, 0);
    if (n == 0) return out;
    if (n < 0 && errno != EAGAIN && errno != EINTR) return failed("metadata.receive", errno);
    if (n > 0) out.insert(out.end(), part, part + n);
    if (out.size() > kMaxMetadataAnswer + kMaxHead) return fail(Code::metadata_failed, "metadata.size");
  }
}

class HttpMetadata final : public MetadataService {
 public:
  explicit HttpMetadata(std::string base) : base_(std::move(base)) {}

  Result<std::vector<uint8_t>> ask(const std::string& path, const std::string* json) override {
    TRY_LET(Endpoint service, endpoint_of(base_));
    std::string request = (json == nullptr ? "GET " : "POST ") + path + " HTTP/1.1\r\nHost: " +
                          base_.substr(kScheme.size()) +
                          "\r\nMetadata: true\r\nAccept: application/json\r\nConnection: close\r\n";
    if (json != nullptr) {
      request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(json->size()) + "\r\n";
    }
    request += "\r\n";
    if (json != nullptr) request += *json;
    const int64_t end = monotonic_ms() + kTimeoutMs;
    TRY_LET(Fd fd, connected(service, end));
    TRY(send_all(fd.get(), request, end));
    TRY_LET(std::vector<uint8_t> answer, receive_all(fd.get(), end));
    return http_body(answer, kMaxMetadataAnswer);
  }

 private:
  std::string base_;
};
}  // namespace

std::unique_ptr<MetadataService> http_metadata(std::string base) {
  return std::make_unique<HttpMetadata>(std::move(base));
}

}  // namespace cstl
