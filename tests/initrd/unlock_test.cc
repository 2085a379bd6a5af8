#include "initrd/unlock.h"

#include <cstring>
#include <doctest/doctest.h>
#include <sys/socket.h>

namespace cstl {
namespace {

struct Pair {
  Fd ours, theirs;
  Pair() {
    int fds[2] = {-1, -1};
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    ours = Fd(fds[0]);
    theirs = Fd(fds[1]);
  }
  void say(const char* bytes, size_t size) { REQUIRE(send(ours.get(), bytes, size, 0) == static_cast<ssize_t>(size)); }
};

}  // namespace

TEST_CASE("unlock: both keys travel in one message, disk key first") {
  Pair pair;
  Key32 disk, measurement;
  std::memset(disk.fill().data(), 1, kKeySize);
  std::memset(measurement.fill().data(), 2, kKeySize);
  REQUIRE(send_keys(pair.theirs.get(), disk, measurement).ok());
  uint8_t message[100];
  REQUIRE(recv(pair.ours.get(), message, sizeof message, 0) == 64);
  CHECK(message[0] == 1);
  CHECK(message[31] == 1);
  CHECK(message[32] == 2);
  CHECK(message[63] == 2);
}

TEST_CASE("unlock: PID 1's answer is a code of two bytes") {
  struct Row {
    const char* name;
    const char* bytes;
    size_t size;
    Code answer, error;
  };
  const Row rows[] = {
      {"zero is success", "\0\0", 2, Code::ok, Code::ok},
      {"603 is disk_key", "\x02\x5b", 2, Code::disk_key, Code::ok},
      {"a number that is no code is internal", "\xff\xff", 2, Code::internal, Code::ok},
      {"one byte is no answer", "\0", 1, Code::ok, Code::closed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Pair pair;
    pair.say(row.bytes, row.size);
    auto code = receive_code(pair.theirs.get());
    CHECK(code.code() == row.error);
    if (code.ok()) CHECK(*code == row.answer);
  }
}

TEST_CASE("unlock: a PID 1 that is gone is an error") {
  Pair pair;
  (void)pair.ours.close();
  CHECK(receive_code(pair.theirs.get()).code() == Code::closed);
  CHECK_FALSE(send_keys(pair.theirs.get(), Key32(), Key32()).ok());
}

}  // namespace cstl
