// Against servers that answer wrongly, slowly or not at all.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

#include "crypto/base/fd.h"
#include "svc/kubernetes/client.h"
#include "tests/harness/control_plane.h"

using namespace cstl;
using namespace cstl::kubernetes;

namespace {
struct Rig {
  std::string folder;
  std::unique_ptr<test::Helper> server;
  Rig() {
    char pattern[] = "/tmp/cstl-bad-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    folder = pattern;
    test::make_certificate(folder, "server");
    server = test::start_bad_server(folder + "/server.crt", folder + "/server.key");
  }
  ~Rig() { std::filesystem::remove_all(folder); }
  std::unique_ptr<Client> client(Limits limits, const std::string& token_file = "") {
    auto out = Client::create(
        Access::with_token("https://127.0.0.1:" + (*server)["port"], folder + "/server.crt", token_file), limits);
    REQUIRE(out.ok());
    return std::move(*out);
  }
};

Limits quick() {
  Limits limits;
  limits.answer = 1 << 20;
  limits.object = 64 << 10;
  limits.request_ms = 1500;
  limits.connect_ms = 1000;
  limits.silence_ms = 1000;
  limits.retry_first_ms = 50;
  limits.retry_most_ms = 200;
  return limits;
}

Result<Json> get(Client& client, const std::string& path) {
  return client.wait([&](Answer done) { client.get(path, std::move(done)); });
}
}  // namespace

TEST_CASE("wrong answers have an error of their own, in time") {
  Rig rig;
  auto client = rig.client(quick());
  struct Row { const char* path; Code code; };
  const Row rows[] = {
      {"/garbage", Code::api_garbage},        {"/html", Code::api_garbage},
      {"/array", Code::api_garbage},          {"/deep", Code::api_garbage},
      {"/huge", Code::api_garbage},           {"/headers", Code::api_unreachable},
      {"/cut", Code::api_unreachable},        {"/nothing", Code::api_unreachable},
      {"/silent", Code::timeout},             {"/slow", Code::timeout},
      {"/redirect", Code::api_refused},       {"/status/400", Code::api_refused},
      {"/status/401", Code::api_denied},      {"/status/403", Code::api_denied},
      {"/status/404", Code::api_not_found},   {"/status/409", Code::api_conflict},
      {"/status/410", Code::api_gone},        {"/status/422", Code::api_refused},
      {"/status/429", Code::api_busy},        {"/status/500", Code::api_refused},
      {"/status/503", Code::api_busy},        {"/token", Code::api_denied},
      {"/a b", Code::bad_value},              {"/a\r\nX-Injected: 1", Code::bad_value},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.path));
    int64_t start = monotonic_ms();
    auto answer = get(*client, row.path);
    CHECK_MESSAGE(answer.code() == row.code, answer.error().foreign);
    CHECK(monotonic_ms() - start < 6000);
  }
  (void)get(*client, "/status/422");
  CHECK(client->problem() == "so be it?[2J");
  CHECK(get(*client, "/seen/nothing").ok());  // the client is as good as before
}

TEST_CASE("no server at all, and one that does not speak TLS") {
  Rig rig;
  auto plain = Client::create(
      Access::with_token("https://127.0.0.1:" + (*rig.server)["plain"], rig.folder + "/server.crt", ""), quick());
  REQUIRE(plain.ok());
  CHECK(get(**plain, "/api").code() == Code::api_unreachable);
  auto nobody = Client::create(Access::with_token("https://127.0.0.1:1", rig.folder + "/server.crt", ""), quick());
  REQUIRE(nobody.ok());
  CHECK(get(**nobody, "/api").code() == Code::api_unreachable);
  auto no_name =
      Client::create(Access::with_token("https://no-such-name.invalid", rig.folder + "/server.crt", ""), quick());
  REQUIRE(no_name.ok());
  CHECK(get(**no_name, "/api").code() == Code::api_unreachable);
}

TEST_CASE("a server that is away: the next request goes to the next one, and a watch goes on there") {
  Rig rig;
  const std::string good = "https://127.0.0.1:" + (*rig.server)["port"];
  Access access = Access::with_token("https://127.0.0.1:1", rig.folder + "/server.crt", "");
  access.more_servers = {"https://127.0.0.1:" + (*rig.server)["plain"], good};
  auto client = Client::create(access, quick());
  REQUIRE(client.ok());
  CHECK(get(**client, "/seen/nothing").code() == Code::api_unreachable);  // nobody listens
  CHECK(get(**client, "/seen/nothing").code() == Code::api_unreachable);  // no TLS
  CHECK(get(**client, "/seen/nothing").ok());
  CHECK(get(**client, "/status/503").code() == Code::api_busy);           // an answer is an answer
  CHECK(get(**client, "/status/404").code() == Code::api_not_found);
  CHECK(get(**client, "/seen/nothing").ok());
  CHECK(get(**client, "/silent").code() == Code::timeout);                // in a ring
  CHECK(get(**client, "/seen/nothing").code() == Code::api_unreachable);

  access.prefer(*parse_endpoint("127.0.0.1:2"));
  CHECK(access.server == "https://127.0.0.1:2");
  CHECK(access.more_servers[0] == "https://127.0.0.1:1");
  CHECK(access.prefer_node("fd00::15").ok());
  CHECK(access.server == "https://[fd00::15]:6443");
  CHECK(access.prefer_node("node.example").code() == Code::bad_value);
  access.more_servers.push_back("http://127.0.0.1:3");
  CHECK(Client::create(access, quick()).code() == Code::bad_value);
}

TEST_CASE("a token that has been replaced is read again after 401") {
  Rig rig;
  std::string file = rig.folder + "/token";
  REQUIRE(write_file_durably(file.c_str(), Bytes("aaaa")).ok());
  rig.server->command("token aaaa");
  auto client = rig.client(quick(), file);
  CHECK(get(*client, "/token").ok());
  // Same size, same inode and time: only the server's 401 can tell.
  struct timespec times[2];
  times[0].tv_nsec = times[1].tv_nsec = 0;
  times[0].tv_sec = times[1].tv_sec = 1000;
  utimensat(AT_FDCWD, file.c_str(), times, 0);
  CHECK(get(*client, "/token").ok());
  auto fd = open_file(file.c_str(), O_WRONLY);
  REQUIRE(fd.ok());
  REQUIRE(write_all(fd->get(), Bytes("bbbb")).ok());
  utimensat(AT_FDCWD, file.c_str(), times, 0);
  rig.server->command("token bbbb");
  CHECK(get(*client, "/token").ok());
  rig.server->command("token cccc");
  CHECK(get(*client, "/token").code() == Code::api_denied);
}

TEST_CASE("update gives up after its tries") {
  Rig rig;
  Limits limits = quick();
  limits.update_tries = 4;
  auto client = rig.client(limits);
  int rounds = 0;
  auto answer = client->wait([&](Answer done) {
    client->update("/conflict", [&](Json&) -> Result<bool> { return ++rounds > 0; }, std::move(done));
  });
  CHECK(answer.code() == Code::api_conflict);
  CHECK(rounds == 4);
}

TEST_CASE("a watch survives whatever the server sends") {
  Rig rig;
  auto client = rig.client(quick());
  struct Row { const char* kind; Code error; bool lists_again; };
  const Row rows[] = {
      {"garbage", Code::api_garbage, true},  {"long", Code::api_garbage, true},
      {"gone", Code::api_gone, true},        {"silent", Code::timeout, false},
      {"cut", Code::api_unreachable, false}, {"end", Code::api_unreachable, false},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.kind));
    int objects = 0, synced = 0;
    std::vector<Code> errors;
    auto id = client->watch(std::string("/watch/") + row.kind,
                            {[&](Change, const Json&) { ++objects; }, [&] { ++synced; },
                             [&](const Error& error) { errors.push_back(error.code); }});
    Loop loop;
    loop.add(*client);
    int64_t end = monotonic_ms() + 8000;
    while (errors.size() < 3 && monotonic_ms() < end) REQUIRE(loop.poll_once(50).ok());
    REQUIRE(errors.size() >= 3);
    for (Code code : errors) CHECK(code == row.error);
    CHECK((synced > 1) == row.lists_again);
    CHECK(objects == (row.lists_again ? synced : 1));
    client->cancel(id);
    loop.remove(*client);
  }
}

TEST_CASE("an event that comes byte by byte is one event, and a callback may cancel its own watch") {
  Rig rig;
  auto client = rig.client(quick());
  Client::Id id = 0;
  std::vector<std::string> names;
  id = client->watch("/watch/pieces", {[&](Change, const Json& object) {
                                         names.push_back(object["metadata"]["name"].get<std::string>());
                                         if (names.size() == 2) client->cancel(id);
                                       }, {}, {}});
  Loop loop;
  loop.add(*client);
  int64_t end = monotonic_ms() + 5000;
  while (names.size() < 2 && monotonic_ms() < end) REQUIRE(loop.poll_once(50).ok());
  CHECK(names == std::vector<std::string>{"a", "b"});
  for (int i = 0; i < 10; ++i) REQUIRE(loop.poll_once(20).ok());
  loop.remove(*client);
}
