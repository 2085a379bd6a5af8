#include "svc/run/local_server.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/secret.h"

namespace cstl {
namespace {

struct Local {
  explicit Local(bool admitted = true) {
    char pattern[] = "/tmp/cstl-local-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    folder = pattern;
    path = folder + "/socket";
    auto listening = listen_local(path, getuid(), getgid(), 8);
    REQUIRE(listening.ok());
    LocalServerConfig config;
    config.max_connections = 2;
    config.deadline_ms = 100;
    config.admit = [admitted](const LocalPeer& peer) { return admitted && peer.uid == getuid() && peer.pid == getpid(); };
    config.on_refused = [this](const LocalPeer&, const Error& error) { refused.push_back(error.code); };
    config.requests.push_back({FrameType::key_request, 2, [](const LocalPeer&, Bytes body) -> Result<LocalReply> {
                                 if (body.empty()) return fail(Code::bad_key_class, "test");
                                 SecretBuffer reply(body.size());
                                 std::memcpy(reply.space().data(), body.data(), body.size());
                                 return LocalReply{FrameType::key_request, std::move(reply)};
                               }});
    auto made = LocalServer::create(std::move(*listening), std::move(config));
    REQUIRE(made.ok());
    server = std::move(*made);
    loop.add(*server);
  }
  ~Local() {
    unlink(path.c_str());
    rmdir(folder.c_str());
  }
  void turns(int count = 4) {
    for (int i = 0; i < count; ++i) REQUIRE(loop.poll_once(5).ok());
  }
  Code answer(int fd) {
    turns();
    auto frame = receive_frame(fd, 500);
    if (frame.ok()) return Code::ok;
    return frame.code() == Code::peer_error ? code_from_number(static_cast<uint16_t>(frame.error().foreign)) : frame.code();
  }

  std::string folder, path;
  Loop loop;
  std::unique_ptr<LocalServer> server;
  std::vector<Code> refused;
};

TEST_CASE("the socket can be connected by its owner and group only") {
  Local local;
  struct stat info {};
  REQUIRE(stat(local.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0660);
}

TEST_CASE("listed frames are answered, others end the connection with a code") {
  struct Row {
    const char* name;
    FrameType type;
    std::string body;
    int times;
    Code last;
  };
  const Row rows[] = {
      {"a listed frame", FrameType::key_request, "x", 1, Code::ok},
      {"as often as allowed", FrameType::key_request, "x", 2, Code::ok},
      {"once too often", FrameType::key_request, "x", 3, Code::frame_type},
      {"an unlisted frame", FrameType::join_request, "x", 1, Code::frame_type},
      {"a frame that the handler refuses", FrameType::key_request, "", 1, Code::bad_key_class},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Local local;
    auto fd = connect_local(local.path);
    REQUIRE(fd.ok());
    Code last = Code::internal;
    for (int i = 0; i < row.times; ++i) {
      REQUIRE(send_frame(fd->get(), row.type, row.body, 500).ok());
      last = local.answer(fd->get());
    }
    CHECK(last == row.last);
    CHECK(local.refused.size() == (row.last == Code::ok ? 0 : 1));
  }
}

TEST_CASE("a peer that may not ask is told so before it asks") {
  Local local(false);
  auto fd = connect_local(local.path);
  REQUIRE(fd.ok());
  CHECK(local.answer(fd->get()) == Code::peer_credentials);
  CHECK(local.server->connections() == 0);
}

TEST_CASE("a header of another version, an unknown type and a body over the limit are refused unread") {
  const std::pair<std::array<uint8_t, 6>, Code> rows[] = {{{0, 0, 0, 3, 9, 40}, Code::frame_version},
                                                         {{0, 0, 0, 3, 1, 99}, Code::frame_type},
                                                         {{0xff, 0, 0, 3, 1, 40}, Code::frame_size}};
  for (const auto& [header, code] : rows) {
    Local local;
    auto fd = connect_local(local.path);
    REQUIRE(fd.ok());
    REQUIRE(write(fd->get(), header.data(), header.size()) == 6);
    CHECK(local.answer(fd->get()) == code);
  }
}

TEST_CASE("a frame in single bytes is still a frame; a silent connection ends; the maximum waits") {
  Local local;
  auto slow = connect_local(local.path), silent = connect_local(local.path), third = connect_local(local.path);
  REQUIRE(third.ok());
  auto frame = encode_frame(FrameType::key_request, "ab");
  REQUIRE(frame.ok());
  for (uint8_t byte : frame->declassify()) {
    REQUIRE(write(slow->get(), &byte, 1) == 1);
    local.turns(1);
  }
  CHECK(local.answer(slow->get()) == Code::ok);
  CHECK(local.server->connections() == 2);
  usleep(150'000);
  REQUIRE(send_frame(third->get(), FrameType::key_request, "x", 500).ok());
  CHECK(local.answer(third->get()) == Code::ok);
  CHECK(receive_frame(silent->get(), 500).code() == Code::closed);
}

TEST_CASE("paths that no socket address holds are refused") {
  CHECK(connect_local(std::string(200, 'x')).code() == Code::too_long);
  CHECK(connect_local("").code() == Code::too_long);
  CHECK(connect_local("/nonexistent/socket").code() == Code::not_found);
}

}  // namespace
}  // namespace cstl
