// The TLS profile against a peer that no one here wrote: openssl s_client and s_server.
#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/tls.h"

using namespace cstl;

namespace {
constexpr int kDeadlineMs = 10000;

// Certificates of the peer, made once: an EC P-256 one, an RSA one, and one with an issuer behind it.
struct Files {
  Files() {
    path = mkdtemp(name);
    std::string make =
        "cd " + path +
        " && exec >log 2>&1 && for c in 256 384; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-$c -nodes "
        "-keyout p$c.key -out p$c.pem -subj /CN=peer -days 9; done"
        " && openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -subj /CN=peer -days 9"
        " && openssl req -new -key p384.key -subj /CN=below | "
        "openssl x509 -req -CA p256.pem -CAkey p256.key -set_serial 1 -out below.pem"
        " && openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout b.key -subj /CN=below | "
        "openssl x509 -req -CA p256.pem -CAkey p256.key -set_serial 2 -out b.pem";
    REQUIRE(std::system(make.c_str()) == 0);
  }
  ~Files() { (void)!std::system(("rm -rf " + path).c_str()); }
  char name[32] = "/tmp/cstl-tls-XXXXXX";
  std::string path;
};

Fd listener(int* port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(fd.get(), 4) == 0);
  socklen_t size = sizeof address;
  REQUIRE(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  *port = ntohs(address.sin_port);
  return fd;
}

Status finish_handshake(TlsSession& session) {
  int64_t deadline = monotonic_ms() + kDeadlineMs;
  while (monotonic_ms() < deadline) {
    TRY_LET(TlsWant want, session.handshake());
    if (want == TlsWant::nothing) return success();
    pollfd p{session.fd(), static_cast<short>(want == TlsWant::read ? POLLIN : POLLOUT), 0};
    poll(&p, 1, 1000);
  }
  return fail(Code::timeout, "test.handshake");
}

pid_t spawn(const std::string& command) {
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  return child;
}

void end(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}
}  // namespace

TEST_CASE("the server takes only what the profile allows from openssl s_client") {
  Files files;
  struct Row { const char* why; const char* arguments; Code code; } rows[] = {
      {"TLS 1.3 with a P-256 certificate", "-tls1_3 -cert p256.pem -key p256.key", Code::ok},
      {"P-256 key exchange after a retry", "-tls1_3 -cert p256.pem -key p256.key -groups P-384:P-256", Code::ok},
      {"ChaCha20", "-tls1_3 -cert p256.pem -key p256.key -ciphersuites TLS_CHACHA20_POLY1305_SHA256", Code::ok},
      {"AES-256", "-tls1_3 -cert p256.pem -key p256.key -ciphersuites TLS_AES_256_GCM_SHA384", Code::ok},
      {"TLS 1.2", "-tls1_2 -cert p256.pem -key p256.key", Code::tls_failed},
      {"no certificate", "-tls1_3", Code::tls_failed},
      {"RSA certificate", "-tls1_3 -cert rsa.pem -key rsa.key", Code::tls_failed},
      {"P-384 certificate", "-tls1_3 -cert p384.pem -key p384.key", Code::tls_failed},
      {"a chain of two", "-tls1_3 -cert b.pem -key b.key -cert_chain p256.pem", Code::tls_failed},
      {"another suite", "-tls1_3 -cert p256.pem -key p256.key -ciphersuites TLS_AES_128_CCM_SHA256", Code::tls_failed},
      {"another group", "-tls1_3 -cert p256.pem -key p256.key -groups P-384:X448", Code::tls_failed},
  };
  auto identity = TlsIdentity::create();
  REQUIRE(identity.ok());
  int port = 0;
  Fd incoming = listener(&port);
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    pid_t child = spawn("cd " + files.path + " && exec openssl s_client -connect 127.0.0.1:" + std::to_string(port) + " " +
                        row.arguments + " >/dev/null 2>&1 </dev/zero");
    pollfd p{incoming.get(), POLLIN, 0};
    REQUIRE(poll(&p, 1, kDeadlineMs) == 1);
    auto session = TlsSession::create(TlsSide::server, Fd(accept4(incoming.get(), nullptr, nullptr, SOCK_CLOEXEC)), **identity);
    REQUIRE(session.ok());
    CHECK(finish_handshake(**session).code() == row.code);
    end(child);
  }
}

TEST_CASE("the client takes only what the profile allows from openssl s_server") {
  Files files;
  struct Row { const char* why; const char* arguments; bool taken; } rows[] = {
      {"TLS 1.3 with a P-256 certificate", "-tls1_3 -cert p256.pem -key p256.key", true},
      {"tickets are not taken", "-tls1_3 -cert p256.pem -key p256.key -num_tickets 0", true},
      {"TLS 1.2", "-tls1_2 -cert p256.pem -key p256.key", false},
      {"RSA certificate", "-tls1_3 -cert rsa.pem -key rsa.key", false},
      {"a chain of two", "-tls1_3 -cert b.pem -key b.key -cert_chain p256.pem", false},
  };
  auto identity = TlsIdentity::create();
  REQUIRE(identity.ok());
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    int port = 0;
    { Fd probe = listener(&port); }
    pid_t child = spawn("cd " + files.path + " && exec openssl s_server -accept 127.0.0.1:" + std::to_string(port) + " -Verify 1 " +
                        row.arguments + " >/dev/null 2>&1 </dev/zero");
    Fd fd;
    for (int attempt = 0; attempt < 100; ++attempt) {
      fd = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(port));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) break;
      usleep(50000);
    }
    auto session = TlsSession::create(TlsSide::client, std::move(fd), **identity);
    REQUIRE(session.ok());
    CHECK(finish_handshake(**session).ok() == row.taken);
    end(child);
  }
}
