#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "attest/atls/session.h"

namespace cstl {

namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return fail(Code::bad_value, "endpoint.port");
  uint32_t port = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return fail(Code::bad_value, "endpoint.port");
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  if (port > 65535) return fail(Code::bad_value, "endpoint.port");
  return static_cast<uint16_t>(port);
}

Result<Address> parse_endpoint(std::string_view endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos || colon > 64) return fail(Code::bad_value, "endpoint");
  TRY_LET(uint16_t port, parse_port(endpoint.substr(colon + 1)));
  std::string host(endpoint.substr(0, colon));
  Address address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    host = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) != 1) return fail(Code::bad_value, "endpoint.address");
    address.size = sizeof(sockaddr_in6);
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) != 1) return fail(Code::bad_value, "endpoint.address");
    address.size = sizeof(sockaddr_in);
  }
  return address;
}

}  // namespace

Result<Fd> connect_tcp(std::string_view endpoint, int timeout_ms) {
  TRY_LET(Address address, parse_endpoint(endpoint));
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno("connect.socket");
  if (connect(fd.get(), address.get(), address.size) == 0) return fd;
  if (errno != EINPROGRESS) return fail_errno("connect");
  const int64_t deadline = monotonic_ms() + timeout_ms;
  for (;;) {
    const int64_t left = deadline - monotonic_ms();
    if (left <= 0) return fail(Code::timeout, "connect");
    pollfd p{fd.get(), POLLOUT, 0};
    int n = poll(&p, 1, static_cast<int>(left));
    if (n < 0 && errno != EINTR) return fail_errno("connect.poll");
    if (n > 0) break;
  }
  int problem = 0;
  socklen_t size = sizeof problem;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size) != 0) return fail_errno("connect.error");
  if (problem != 0) return fail_errno("connect", problem);
  return fd;
}

Result<Fd> listen_tcp(std::string_view endpoint, int backlog) {
  TRY_LET(Address address, parse_endpoint(endpoint));
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno("listen.socket");
  int on = 1;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return fail_errno("listen.reuse");
  if (bind(fd.get(), address.get(), address.size) != 0) return fail_errno("listen.bind");
  if (listen(fd.get(), backlog) != 0) return fail_errno("listen");
  return fd;
}

}  // namespace cstl
