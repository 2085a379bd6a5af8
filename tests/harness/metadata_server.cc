#include "tests/harness/metadata_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "crypto/base/fd.h"

namespace cstl::test {

struct MetadataServer::State {
  Handler handler;
  Fd listener;
  std::string address;
  uint16_t port = 0;
  std::thread thread;

  void answer(int client) const {
    std::string request;
    char buffer[4096];
    size_t end = std::string::npos, length = 0;
    while (end == std::string::npos || request.size() < end + 4 + length) {
      const ssize_t n = recv(client, buffer, sizeof buffer, 0);
      if (n <= 0) return;
      request.append(buffer, static_cast<size_t>(n));
      end = request.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const size_t at = request.find("Content-Length: ");
      if (at < end) length = static_cast<size_t>(std::atoi(request.c_str() + at + 16));
    }
    const size_t space = request.find(' '), second = request.find(' ', space + 1);
    MetadataAnswer answer{400, ""};
    if (request.find("\r\nMetadata: true\r\n") < end) {
      answer = handler(request.substr(0, space), request.substr(space + 1, second - space - 1), request.substr(end + 4));
    }
    const std::string reply = "HTTP/1.1 " + std::to_string(answer.status) + " X\r\nContent-Type: application/json\r\nContent-Length: " +
                              std::to_string(answer.body.size()) + "\r\nConnection: close\r\n\r\n" + answer.body;
    (void)send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
  }

  void serve() const {
    for (;;) {
      Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;  // shut down
      answer(client.get());
    }
  }
};

MetadataServer::MetadataServer() : state_(std::make_unique<State>()) {}

std::unique_ptr<MetadataServer> MetadataServer::start(Handler handler, const std::string& where, uint16_t port) {
  std::unique_ptr<MetadataServer> out(new MetadataServer());
  State& s = *out->state_;
  s.handler = std::move(handler);
  s.address = where;
  s.listener = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  (void)setsockopt(s.listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (inet_pton(AF_INET, where.c_str(), &address.sin_addr) != 1 || bind(s.listener.get(), raw, size) != 0 ||
      listen(s.listener.get(), 8) != 0 || getsockname(s.listener.get(), raw, &size) != 0) {
    std::fprintf(stderr, "metadata_server: no port\n");
    std::abort();
  }
  s.port = ntohs(address.sin_port);
  s.thread = std::thread([&s] { s.serve(); });
  return out;
}

MetadataServer::~MetadataServer() {
  (void)shutdown(state_->listener.get(), SHUT_RDWR);
  state_->thread.join();
}

std::string MetadataServer::base() const { return "http://" + state_->address + ":" + std::to_string(state_->port); }

}  // namespace cstl::test
