#include "svc/kubernetes/events.h"

#include <doctest/doctest.h>

#include "svc/kubernetes/access.h"

using namespace cstl;
using namespace cstl::kubernetes;

TEST_CASE("a stream is cut into lines wherever its pieces end") {
  std::string stream = "{\"a\":1}\n\nsecond line\nthird";
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    LineSplitter splitter(100);
    std::vector<std::string> lines;
    for (size_t at = 0; at < stream.size(); at += piece) {
      REQUIRE(splitter.feed(Bytes(stream.substr(at, piece)), lines).ok());
    }
    CHECK(lines == std::vector<std::string>{"{\"a\":1}", "second line"});
  }
}

TEST_CASE("a line longer than the limit is refused, with and without its end") {
  std::vector<std::string> lines;
  CHECK(LineSplitter(5).feed("12345\n", lines).ok());
  CHECK(LineSplitter(5).feed("123456\n", lines).code() == Code::api_garbage);
  LineSplitter splitter(5);
  CHECK(splitter.feed("123", lines).ok());
  CHECK(splitter.feed("456", lines).code() == Code::api_garbage);
}

TEST_CASE("events of a watch") {
  struct Row { const char* line; Code code; };
  const Row rows[] = {
      {R"({"type":"ADDED","object":{"metadata":{"name":"a","uid":"u","resourceVersion":"7"}}})", Code::ok},
      {R"({"type":"MODIFIED","object":{"metadata":{"name":"a"}}})", Code::ok},
      {R"({"type":"DELETED","object":{"metadata":{"name":"a","namespace":"n"}}})", Code::ok},
      {R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})", Code::ok},
      {R"({"type":"ERROR","object":{"code":410}})", Code::ok},
      {R"({"type":"BOOKMARK","object":{"metadata":{}}})", Code::api_garbage},
      {R"({"type":"ADDED","object":{"metadata":{}}})", Code::api_garbage},
      {R"({"type":"ADDED","object":{"metadata":{"name":""}}})", Code::api_garbage},
      {R"({"type":"ADDED","object":{"metadata":{"name":1}}})", Code::api_garbage},
      {R"({"type":"ADDED","object":{"metadata":[]}})", Code::api_garbage},
      {R"({"type":"ADDED","object":[]})", Code::api_garbage},
      {R"({"type":"ADDED"})", Code::api_garbage},
      {R"({"type":"OTHER","object":{"metadata":{"name":"a"}}})", Code::api_garbage},
      {R"({"type":1,"object":{"metadata":{"name":"a"}}})", Code::api_garbage},
      {R"([])", Code::api_garbage},
      {R"({"type":"ADDED","object":{"metadata":{"name":"a","name":"b"}}})", Code::api_garbage},
      {R"({"type":"ADDED","object":{"metadata":{"name":"a"})", Code::api_garbage},
      {"", Code::api_garbage},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.line));
    CHECK(parse_event(row.line, 1000, 16).code() == row.code);
  }
  auto deleted = parse_event(rows[2].line, 1000, 16);
  CHECK(deleted->key.name == "n/a");
  CHECK(parse_event(rows[4].line, 1000, 16)->status == 410);
  CHECK(parse_event(rows[0].line, 20, 16).code() == Code::api_garbage);
  CHECK(parse_event(rows[0].line, 1000, 2).code() == Code::api_garbage);
}

TEST_CASE("pages of a list") {
  struct Row { const char* json; Code code; };
  const Row rows[] = {
      {R"({"metadata":{"resourceVersion":"1"},"items":[]})", Code::ok},
      {R"({"metadata":{"resourceVersion":"1"},"items":null})", Code::ok},
      {R"({"metadata":{"resourceVersion":"1","continue":"x"},"items":[{}]})", Code::ok},
      {R"({"metadata":{"resourceVersion":"1"},"items":{}})", Code::api_garbage},
      {R"({"metadata":{"resourceVersion":1},"items":[]})", Code::api_garbage},
      {R"({"metadata":{},"items":[]})", Code::api_garbage},
      {R"({"items":[]})", Code::api_garbage},
  };
  for (const Row& row : rows) {
    auto json = parse_json(row.json, 1000);
    REQUIRE(json.ok());
    INFO(std::string(row.json));
    CHECK(read_page(*json).code() == row.code);
  }
}

TEST_CASE("paths of the API: nothing that could end a request line or leave its place") {
  for (const char* good :
       {"/api", "/api/v1/namespaces/a/configmaps/b?fieldManager=x&force=true", "/a%20b", "/readyz"}) {
    CHECK_MESSAGE(check_path(good).ok(), good);
  }
  for (const char* bad : {"", "api", "/a b", "/a\r\nX: y", "/a\nb", "/a#b", "//a", "/a//b", "/a/../b", "/..", "/.",
                          "/a/.", "/a/", "/\x80", "/a\\b", "/a\"b", "/{x}"}) {
    CHECK_MESSAGE(check_path(bad).code() == Code::bad_value, bad);
  }
  CHECK(check_path("/" + std::string(2047, 'a')).ok());
  CHECK(check_path("/" + std::string(2048, 'a')).code() == Code::bad_value);
  CHECK(path_segment("a/../b c\r\n") == "a%2F..%2Fb%20c%0D%0A");
  CHECK(path_segment("..") == "%2E%2E");
  CHECK(path_segment("kube-system.x_y~") == "kube-system.x_y~");
}

TEST_CASE("servers are https URLs without a path") {
  CHECK(*checked_server("https://10.0.0.1:6443/") == "https://10.0.0.1:6443");
  CHECK(checked_server("https://[fd00::1]:6443").ok());
  for (const char* bad :
       {"", "http://a", "https://", "https:///", "https://a/b", "https://a@b", "https://a\r\nb", "a:1"}) {
    CHECK_MESSAGE(checked_server(bad).code() == Code::bad_value, bad);
  }
}

TEST_CASE("what the server says is made printable and short") {
  CHECK(status_message(nlohmann::json{{"message", "a\x1b[2J\nb"}}) == "a?[2J?b");
  CHECK(status_message(nlohmann::json{{"reason", "Gone"}}) == "Gone");
  CHECK(status_message(nlohmann::json{{"message", 3}}).empty());
  CHECK(status_message(nlohmann::json::array()).empty());
  CHECK(printable_text(std::string(1000, 'a')).size() == 300);
}
