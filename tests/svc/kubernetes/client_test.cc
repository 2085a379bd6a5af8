// Against a real API server.
#include "svc/kubernetes/client.h"

#include <doctest/doctest.h>
#include <map>

#include "crypto/base/base64.h"
#include "crypto/base/fd.h"
#include "tests/harness/control_plane.h"
#include "tests/harness/swtpm.h"

using namespace cstl;
using namespace cstl::kubernetes;
using cstl::test::ControlPlane;
using cstl::test::Helper;

namespace {
const std::string kConfigMaps = "/api/v1/namespaces/default/configmaps";

Access admin() {
  Helper& plane = ControlPlane::shared();
  return Access::with_certificate(plane["server"], plane["ca"], plane["certificate"], plane["key"]);
}

std::unique_ptr<Client> connect(Access access, Limits limits = {}) {
  auto client = Client::create(std::move(access), limits);
  REQUIRE(client.ok());
  return std::move(*client);
}

Json config_map(const std::string& name, const std::string& value) {
  return Json{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}}}, {"data", {{"key", value}}}};
}

std::string path_of(const std::string& name) { return kConfigMaps + "/" + path_segment(name); }

// What a watch tells, by name.
struct Seen {
  std::map<std::string, std::string> values;
  std::vector<std::string> log;
  int synced = 0;
  std::vector<Code> errors;
  Watcher watcher() {
    return Watcher{[this](Change change, const Json& object) {
                     std::string name = object["metadata"]["name"].get<std::string>();
                     if (name == "kube-root-ca.crt") return;
                     log.push_back((change == Change::added ? "+" : change == Change::modified ? "~" : "-") + name);
                     if (change == Change::deleted) {
                       values.erase(name);
                     } else {
                       values[name] = object.contains("data") ? object["data"]["key"].get<std::string>() : "";
                     }
                   },
                   [this] { ++synced; }, [this](const Error& error) { errors.push_back(error.code); }};
  }
};

// Turns of the client's loop until `good` or the time is over.
bool turn_until(Client& client, const std::function<bool()>& good, int ms = 15'000) {
  Loop loop;
  loop.add(client);
  int64_t end = monotonic_ms() + ms;
  while (!good() && monotonic_ms() < end) {
    if (!loop.poll_once(50).ok()) return false;
  }
  return good();
}

Result<Json> put(Client& client, const std::string& name, const std::string& value) {
  return client.wait(
      [&](Answer done) { client.apply(path_of(name), config_map(name, value), "test", true, std::move(done)); });
}
Result<Json> drop(Client& client, const std::string& name) {
  return client.wait([&](Answer done) { client.remove(path_of(name), std::move(done)); });
}
}  // namespace

TEST_CASE("objects are made, read, replaced, patched and removed") {
  auto client = connect(admin());
  auto wait = [&](auto start) { return client->wait(start); };
  auto made = wait([&](Answer done) { client->create_object(kConfigMaps, config_map("crud", "1"), done); });
  REQUIRE(made.ok());
  CHECK(wait([&](Answer done) { client->create_object(kConfigMaps, config_map("crud", "1"), done); }).code() ==
        Code::api_conflict);
  CHECK(client->problem().find("already exists") != std::string::npos);
  auto got = wait([&](Answer done) { client->get(path_of("crud"), done); });
  REQUIRE(got.ok());
  Json old = *got;
  (*got)["data"]["key"] = "2";
  CHECK(wait([&](Answer done) { client->replace(path_of("crud"), *got, done); }).ok());
  CHECK(wait([&](Answer done) { client->replace(path_of("crud"), old, done); }).code() == Code::api_conflict);
  auto patched = wait([&](Answer done) {
    client->merge_patch(path_of("crud"), Json{{"data", {{"more", "x"}}}}, done);
  });
  REQUIRE(patched.ok());
  CHECK((*patched)["data"] == Json{{"key", "2"}, {"more", "x"}});
  CHECK(drop(*client, "crud").ok());
  CHECK(drop(*client, "crud").code() == Code::api_not_found);
  auto missing = wait([&](Answer done) { client->get(path_of("crud"), done); });
  CHECK(missing.code() == Code::api_not_found);
  CHECK(missing.error().origin == Origin::http);
  CHECK(missing.error().foreign == 404);
  auto ready = wait([&](Answer done) { client->get("/readyz", done); });
  REQUIRE(ready.ok());
  CHECK((*ready)["text"] == "ok");
}

TEST_CASE("server-side apply: another manager's field is a conflict unless forced") {
  auto client = connect(admin());
  REQUIRE(put(*client, "applied", "1").ok());
  auto other = [&](bool force) {
    return client->wait(
        [&](Answer done) { client->apply(path_of("applied"), config_map("applied", "2"), "other", force, done); });
  };
  CHECK(other(false).code() == Code::api_conflict);
  CHECK(client->problem().find("test") != std::string::npos);
  auto forced = other(true);
  REQUIRE(forced.ok());
  CHECK((*forced)["data"]["key"] == "2");
  CHECK(drop(*client, "applied").ok());
}

TEST_CASE("update retries after a conflict, gives up after its tries, and keeps what is not to be changed") {
  auto client = connect(admin());
  auto rival = connect(admin());
  REQUIRE(put(*client, "counter", "0").ok());
  int rounds = 0;
  auto updated = client->wait([&](Answer done) {
    client->update(path_of("counter"), [&](Json& object) -> Result<bool> {
      if (++rounds <= 2) REQUIRE(put(*rival, "counter", "rival" + std::to_string(rounds)).ok());
      object["data"]["mine"] = object["data"]["key"];
      return true;
    }, done);
  });
  REQUIRE(updated.ok());
  CHECK(rounds == 3);
  CHECK((*updated)["data"]["mine"] == "rival2");
  auto unchanged = client->wait([&](Answer done) {
    client->update(path_of("counter"), [](Json&) -> Result<bool> { return false; }, done);
  });
  REQUIRE(unchanged.ok());
  CHECK((*unchanged)["metadata"]["resourceVersion"] == (*updated)["metadata"]["resourceVersion"]);
  auto refused = client->wait([&](Answer done) {
    client->update(path_of("counter"), [](Json&) -> Result<bool> { return fail(Code::busy, "test"); }, done);
  });
  CHECK(refused.code() == Code::busy);
  int parallel = 0;  // sixteen at once on one object: every one of them gets through
  Limits patient;
  patient.update_tries = 30;
  auto many = connect(admin(), patient);
  for (int i = 0; i < 16; ++i) {
    many->update(path_of("counter"), [i](Json& object) -> Result<bool> {
      object["data"]["p" + std::to_string(i)] = "x";
      return true;
    }, [&](Result<Json> answer) { parallel += answer.ok() ? 1 : 100; });
  }
  CHECK(turn_until(*many, [&] { return parallel >= 16; }));
  CHECK(parallel == 16);
  auto after = client->wait([&](Answer done) { client->get(path_of("counter"), done); });
  REQUIRE(after.ok());
  CHECK((*after)["data"].size() == 18);
  CHECK(drop(*client, "counter").ok());
}

TEST_CASE("a watch tells every change once, over pages, a restart of the API server and a forgotten version") {
  Limits limits;
  limits.page = 2;
  limits.retry_first_ms = 100;
  limits.retry_most_ms = 500;
  auto writer = connect(admin());
  for (int i = 0; i < 5; ++i) REQUIRE(put(*writer, "w" + std::to_string(i), "0").ok());
  auto client = connect(admin(), limits);
  Seen seen;
  auto id = client->watch(kConfigMaps, seen.watcher());
  REQUIRE(turn_until(*client, [&] { return seen.synced == 1; }));
  CHECK(seen.log == std::vector<std::string>{"+w0", "+w1", "+w2", "+w3", "+w4"});

  seen.log.clear();
  REQUIRE(put(*writer, "w1", "1").ok());
  REQUIRE(drop(*writer, "w2").ok());
  REQUIRE(put(*writer, "w5", "5").ok());
  REQUIRE(turn_until(*client, [&] { return seen.log.size() == 3; }));
  CHECK(seen.log == std::vector<std::string>{"~w1", "-w2", "+w5"});
  CHECK(seen.values["w1"] == "1");

  // The API server ends while nobody looks; meanwhile things change, and etcd forgets the past.
  seen.log.clear();
  ControlPlane::shared().command("restart-api");
  writer = connect(admin());
  REQUIRE(put(*writer, "w1", "2").ok());
  REQUIRE(drop(*writer, "w3").ok());
  REQUIRE(drop(*writer, "w4").ok());
  REQUIRE(put(*writer, "w4", "new").ok());
  ControlPlane::shared().command("compact");
  ControlPlane::shared().command("restart-api");
  REQUIRE(turn_until(*client, [&] { return seen.synced == 2; }));
  CHECK(seen.log == std::vector<std::string>{"~w1", "-w4", "+w4", "-w3"});
  CHECK(seen.values == std::map<std::string, std::string>{{"w0", "0"}, {"w1", "2"}, {"w4", "new"}, {"w5", "5"}});
  CHECK(!seen.errors.empty());

  seen.log.clear();
  writer = connect(admin());
  REQUIRE(put(*writer, "w0", "again").ok());
  REQUIRE(turn_until(*client, [&] { return seen.log.size() == 1; }));
  client->cancel(id);
  seen.log.clear();
  for (const char* name : {"w0", "w1", "w4", "w5"}) REQUIRE(drop(*writer, name).ok());
  CHECK(!turn_until(*client, [&] { return !seen.log.empty(); }, 500));
}

TEST_CASE("an API server that is away is an error, and a watch goes on when it is back") {
  Limits limits;
  limits.retry_first_ms = 100;
  limits.retry_most_ms = 400;
  auto client = connect(admin(), limits);
  Seen seen;
  client->watch(kConfigMaps, seen.watcher());
  REQUIRE(turn_until(*client, [&] { return seen.synced == 1; }));
  ControlPlane::shared().command("stop-api");
  auto away = connect(admin());
  auto answer = away->wait([&](Answer done) { away->get("/api/v1", done); });
  CHECK(answer.code() == Code::api_unreachable);
  CHECK(answer.error().origin == Origin::curl);
  CHECK(turn_until(*client, [&] { return seen.errors.size() >= 3; }));
  for (Code code : seen.errors) CHECK(code == Code::api_unreachable);
  ControlPlane::shared().command("start-api");
  REQUIRE(put(*away, "back", "1").ok());
  CHECK(turn_until(*client, [&] { return seen.values.count("back") == 1; }));
  CHECK(drop(*away, "back").ok());
}

TEST_CASE("who the server is, and who we are") {
  Helper& plane = ControlPlane::shared();
  const std::string& folder = plane["folder"];
  auto code_of = [](Client& client, const std::string& path) {
    return client.wait([&](Answer done) { client.get(path, std::move(done)); }).code();
  };
  SUBCASE("another CA") {
    test::make_certificate(folder, "otherca");
    auto client =
        connect(Access::with_certificate(plane["server"], folder + "/otherca.crt", plane["certificate"], plane["key"]));
    auto answer = client->wait([&](Answer done) { client->get("/api/v1", done); });
    CHECK(answer.code() == Code::api_unreachable);
    CHECK(std::string(answer.error().site) == "kubernetes.server_certificate");
  }
  SUBCASE("another name") {
    std::string server = plane["server"];
    server.replace(server.find("127.0.0.1"), 9, "127.0.0.2");
    auto client = connect(Access::with_certificate(server, plane["ca"], plane["certificate"], plane["key"]));
    CHECK(code_of(*client, "/api/v1") == Code::api_unreachable);
  }
  SUBCASE("nobody") {
    auto client = connect(Access::with_token(plane["server"], plane["ca"], ""));
    CHECK(code_of(*client, kConfigMaps) == Code::api_denied);
    CHECK(client->problem().find("system:anonymous") != std::string::npos);
  }
  SUBCASE("a certificate that the CA did not sign") {
    test::make_certificate(folder, "stranger");
    auto client = connect(
        Access::with_certificate(plane["server"], plane["ca"], folder + "/stranger.crt", folder + "/stranger.key"));
    CHECK(code_of(*client, kConfigMaps) == Code::api_denied);
  }
  SUBCASE("files that are not what they should be") {
    Access access = Access::with_certificate(plane["server"], plane["key"], plane["certificate"], plane["key"]);
    CHECK(Client::create(access).code() == Code::bad_certificate);
    access = Access::with_certificate(plane["server"], plane["ca"], plane["certificate"], plane["ca_key"]);
    CHECK(Client::create(access).code() == Code::bad_key);
    access = Access::with_certificate(plane["server"], plane["ca"], plane["certificate"], plane["ca"]);
    CHECK(Client::create(access).code() == Code::bad_key);
    access = Access::with_certificate(plane["server"], folder + "/nothing", plane["certificate"], plane["key"]);
    CHECK(Client::create(access).code() == Code::not_found);
    access = Access::with_certificate("http://127.0.0.1", plane["ca"], plane["certificate"], plane["key"]);
    CHECK(Client::create(access).code() == Code::bad_value);
  }
}

TEST_CASE("a service account's token: its rights, and a new token in the same file") {
  Helper& plane = ControlPlane::shared();
  auto root = connect(admin());
  auto token_for = [&](const std::string& account) {
    (void)root->wait([&](Answer done) {
      root->create_object("/api/v1/namespaces/default/serviceaccounts",
                          Json{{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", account}}}},
                          done);
    });
    auto answer = root->wait([&](Answer done) {
      root->create_object(
          "/api/v1/namespaces/default/serviceaccounts/" + account + "/token",
          Json{{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", Json::object()}}, done);
    });
    REQUIRE(answer.ok());
    return (*answer)["status"]["token"].get<std::string>();
  };
  std::string file = plane["folder"] + "/token";
  auto store = [&](const std::string& text) { REQUIRE(write_file_durably(file.c_str(), Bytes(text)).ok()); };
  store("garbage\n");
  auto client = connect(Access::with_token(plane["server"], plane["ca"], file));
  auto listed = [&] { return client->wait([&](Answer done) { client->get(kConfigMaps, std::move(done)); }).code(); };
  CHECK(listed() == Code::api_denied);            // 401
  store(token_for("reader") + "\n");
  CHECK(listed() == Code::api_denied);            // 403: known, but without rights
  CHECK(client->problem().find("system:serviceaccount:default:reader") != std::string::npos);
  REQUIRE(
      root->wait([&](Answer done) {
            root->create_object(
                "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
                Json{
                    {"apiVersion", "rbac.authorization.k8s.io/v1"},
                    {"kind", "RoleBinding"},
                    {"metadata", {{"name", "reader"}}},
                    {"roleRef", {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", "view"}}},
                    {"subjects",
                     Json::array({Json{{"kind", "ServiceAccount"}, {"name", "reader"}, {"namespace", "default"}}})}},
                done);
          })
          .ok());
  bool allowed = false;
  for (int i = 0; i < 50 && !allowed; ++i) allowed = listed() == Code::ok;
  CHECK(allowed);
  CHECK(client->wait([&](Answer done) { client->create_object(kConfigMaps, config_map("no", "1"), done); }).code() ==
        Code::api_denied);
  for (const char* bad : {"", "\n", "two words", "line\r\nX-Injected: yes"}) {
    store(bad);
    CHECK(listed() == Code::bad_value);
  }
}
