#include "tests/harness/report_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "crypto/base/fd.h"

namespace cstl::test {

namespace {
constexpr uint32_t kMaxPart = 64 * 1024;

sockaddr_in place_of(const std::string& address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  (void)inet_pton(AF_INET, address.c_str(), &out.sin_addr);  // of the test's own words
  return out;
}

void put_u32(std::vector<uint8_t>& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(value >> shift));
}

void put_part(std::vector<uint8_t>& out, const std::vector<uint8_t>& part) {
  put_u32(out, static_cast<uint32_t>(part.size()));
  out.insert(out.end(), part.begin(), part.end());
}

Result<uint32_t> take_u32(int fd) {
  std::array<uint8_t, 4> bytes{};
  TRY(read_exact(fd, bytes));
  return Reader(bytes).u32();
}

Result<std::vector<uint8_t>> take_part(int fd) {
  TRY_LET(uint32_t size, take_u32(fd));
  if (size > kMaxPart) return fail(Code::too_long, "relay.part");
  std::vector<uint8_t> out(size);
  TRY(read_exact(fd, out));
  return out;
}

Result<TsmAnswer> ask(int fd, const Digest64& report_data) {
  TRY(write_all(fd, report_data));
  TsmAnswer out;
  TRY_LET(uint32_t error, take_u32(fd));
  out.error = static_cast<int>(error);
  TRY_LET(out.outblob, take_part(fd));
  TRY_LET(out.auxblob, take_part(fd));
  return out;
}
}  // namespace

struct ReportRelay::State {
  TsmFirmware firmware;
  Fd listener;
  std::thread thread;

  void serve() const {
    for (;;) {
      Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;  // shut down
      Digest64 report_data{};
      if (!read_exact(client.get(), report_data).ok()) continue;
      const TsmAnswer answer = firmware(report_data);
      std::vector<uint8_t> out;
      put_u32(out, static_cast<uint32_t>(answer.error));
      put_part(out, answer.outblob);
      put_part(out, answer.auxblob);
      (void)write_all(client.get(), out);  // a machine that went away asks again
    }
  }
};

ReportRelay::ReportRelay() : state_(std::make_unique<State>()) {}

std::unique_ptr<ReportRelay> ReportRelay::start(uint16_t port, TsmFirmware firmware) {
  std::unique_ptr<ReportRelay> out(new ReportRelay());
  State& s = *out->state_;
  s.firmware = std::move(firmware);
  s.listener = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  (void)setsockopt(s.listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in place = place_of("127.0.0.1", port);
  if (bind(s.listener.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0 ||
      listen(s.listener.get(), 8) != 0) {
    std::fprintf(stderr, "report_relay: port %u is taken\n", unsigned{port});
    std::abort();
  }
  s.thread = std::thread([&s] { s.serve(); });
  return out;
}

ReportRelay::~ReportRelay() {
  (void)shutdown(state_->listener.get(), SHUT_RDWR);
  state_->thread.join();
}

TsmAnswer ask_relay(const std::string& address, uint16_t port, const Digest64& report_data) {
  TsmAnswer failed;
  failed.error = EIO;
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{10, 0};
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const sockaddr_in place = place_of(address, port);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) return failed;
  auto answer = ask(fd.get(), report_data);
  return answer.ok() ? *answer : failed;
}

}  // namespace cstl::test
