// Answers of a metadata service, as servers send them and as they must not, and the service itself when it misbehaves.
#include "attest/platform/http_answer.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <thread>

#include "attest/platform/metadata.h"
#include "tests/harness/metadata_server.h"

namespace cstl {
namespace {

struct Row {
  const char* name;
  std::string answer;
  const char* body;  // nullptr: refused
};

TEST_CASE("http: each form of a body is read, and what is ambiguous, cut or too much is refused") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  std::string fields;
  for (int i = 0; i < 64; ++i) fields += "X: 1\r\n";
  const Row rows[] = {
      {"a length", ok + "Content-Length: 3\r\n\r\nabc", "abc"},
      {"a length of another spelling", ok + "content-LENGTH:\t3 \r\n\r\nabc", "abc"},
      {"the end of the connection", "HTTP/1.0 200\r\n\r\nabc", "abc"},
      {"nothing", ok + "Content-Length: 0\r\n\r\n", ""},
      {"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n01\r\nc\r\n0\r\n\r\n", "abc"},
      {"chunks with extension and trailer", ok + "transfer-encoding: Chunked\r\n\r\n3 ;a=b\r\nabc\r\n0\r\nX: 1\r\n\r\n", "abc"},
      {"sixty-four fields", ok + fields + "\r\nabc", "abc"},
      {"one more field", ok + fields + "Y: 1\r\n\r\nabc", nullptr},
      {"no bytes", "", nullptr},
      {"a status line that is cut", "HTTP/1.1 200 OK", nullptr},
      {"another protocol", "HTTP/2.0 200 OK\r\n\r\n", nullptr},
      {"a status of letters", "HTTP/1.1 2xx OK\r\n\r\n", nullptr},
      {"a status with a sign", "HTTP/1.1 +20 OK\r\n\r\n", nullptr},
      {"a line feed alone", "HTTP/1.1 200 OK\n\nabc", nullptr},
      {"a field without colon", ok + "abc\r\n\r\n", nullptr},
      {"a field without name", ok + ": 1\r\n\r\n", nullptr},
      {"a line over 4 KiB", ok + "X: " + std::string(4096, 'x') + "\r\n\r\n", nullptr},
      {"a body that is cut", ok + "Content-Length: 4\r\n\r\nabc", nullptr},
      {"more than announced", ok + "Content-Length: 2\r\n\r\nabc", nullptr},
      {"two lengths", ok + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", nullptr},
      {"a length with a sign", ok + "Content-Length: +3\r\n\r\nabc", nullptr},
      {"a length without digits", ok + "Content-Length:\r\n\r\n", nullptr},
      {"a length over the limit", ok + "Content-Length: 17\r\n\r\n" + std::string(17, 'x'), nullptr},
      {"a length beyond numbers", ok + "Content-Length: 99999999999999999999\r\n\r\nabc", nullptr},
      {"more than the limit until the end", ok + "\r\n" + std::string(17, 'x'), nullptr},
      {"a length and chunks", ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", nullptr},
      {"another encoding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", nullptr},
      {"a chunk that is cut", ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nabc", nullptr},
      {"a chunk that does not end", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", nullptr},
      {"a chunk of negative size", ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n", nullptr},
      {"chunks over the limit", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n8\r\n12345678\r\n0\r\n\r\n", nullptr},
      {"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", nullptr},
      {"bytes after the last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", nullptr},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    auto body = http_body(row.answer, 16);
    CHECK(body.ok() == (row.body != nullptr));
    if (body.ok() && row.body != nullptr) CHECK(Bytes(*body).text() == row.body);
    if (!body.ok()) CHECK(body.code() == Code::metadata_failed);
  }
  auto missing = http_body("HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx", 16);
  CHECK(missing.error().origin == Origin::http);
  CHECK(missing.error().foreign == 404);
}

TEST_CASE("http: every cut of an answer with a length or chunks is refused") {
  for (const std::string& whole : {std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
                                   std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")}) {
    REQUIRE(http_body(whole, 16).ok());
    for (size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(http_body(whole.substr(0, size), 16).ok());
  }
}

TEST_CASE("metadata service: what it is asked, what it answers, and no service at all") {
  std::string seen;
  auto server = test::MetadataServer::start([&](const std::string& method, const std::string& path, const std::string& body) {
    seen = method + " " + path + " " + body;
    if (path == "/large") return test::MetadataAnswer{200, std::string(kMaxMetadataAnswer, 'x')};
    if (path == "/larger") return test::MetadataAnswer{200, std::string(kMaxMetadataAnswer + 1, 'x')};
    return test::MetadataAnswer{path == "/none" ? 404 : 200, "{}"};
  });
  auto service = http_metadata(server->base());
  auto got = service->ask("/path?a=b", nullptr);
  REQUIRE(got.ok());
  CHECK(Bytes(*got).text() == "{}");
  CHECK(seen == "GET /path?a=b ");
  const std::string json = R"({"report":"AA"})";
  CHECK(service->ask("/acc", &json).ok());
  CHECK(seen == "POST /acc " + json);
  CHECK(service->ask("/none", nullptr).error().foreign == 404);
  CHECK(service->ask("/large", nullptr).ok());
  CHECK(service->ask("/larger", nullptr).code() == Code::metadata_failed);
  server.reset();
  auto gone = service->ask("/path", nullptr);
  CHECK(gone.code() == Code::metadata_failed);
  CHECK(gone.error().origin == Origin::errno_value);
  CHECK(gone.error().foreign == ECONNREFUSED);
  for (const char* base : {"https://127.0.0.1", "http://localhost", "http://", "127.0.0.1:80", "http://127.0.0.1/x"}) {
    CHECK(http_metadata(base)->ask("/", nullptr).code() == Code::metadata_failed);
  }
}

}  // namespace
}  // namespace cstl
