// The metadata service by libcurl: what it is asked, what it may answer, and no service at all.
#include "attest/platform/metadata.h"

#include <curl/curl.h>
#include <doctest/doctest.h>

#include "tests/harness/metadata_server.h"

namespace cstl {
namespace {

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
  CHECK(gone.error().origin == Origin::curl);
  CHECK(gone.error().foreign == CURLE_COULDNT_CONNECT);
  for (const char* base : {"https://127.0.0.1", "file:///etc", "http://"}) {
    CHECK(http_metadata(base)->ask("/passwd", nullptr).code() == Code::metadata_failed);
  }
}

}  // namespace
}  // namespace cstl
