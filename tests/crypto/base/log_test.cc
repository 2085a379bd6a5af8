#include "crypto/base/log.h"

#include <doctest/doctest.h>

#include "crypto/base/json.h"
#include "crypto/base/utc.h"

using namespace cstl;

TEST_CASE("a line is logfmt with the program in front") {
  log_as("cstl-test");
  CHECK(format_line("info", "disk.unlocked", {{"uuid", "1-2"}, {"seconds", int64_t{3}}}) ==
        "cstl-test: info disk.unlocked uuid=1-2 seconds=3");
  CHECK(format_line("info", "e", {{"path", "/run/cstl/state:a+b@c"}}) ==
        "cstl-test: info e path=/run/cstl/state:a+b@c");
}

TEST_CASE("no value can forge a line or a field") {
  struct Row { std::string value; const char* printed; } rows[] = {
      {"", "v=\"\""},
      {"two words", "v=\"two words\""},
      {"a=b", "v=\"a=b\""},
      {"x\ncstl: info forged", "v=\"x\\x0acstl: info forged\""},
      {"\r\x1b[2J", "v=\"\\x0d\\x1b[2J\""},
      {"say \"hi\" \\", "v=\"say \\\"hi\\\" \\\\\""},
      {std::string("nul\0x", 5), "v=\"nul\\x00x\""},
      {"del\x7f", "v=\"del\\x7f\""},
  };
  for (const Row& row : rows) CHECK(format_line("info", "e", {{"v", row.value}}) == std::string("cstl-test: info e ") + row.printed);
}

TEST_CASE("a line of JSON is one object with a UTC time, whatever its values hold") {
  log_as("cstl-test", LogForm::json);
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  struct Row { std::string value; std::string read; } rows[] = {
      {"", ""},
      {"two words", "two words"},
      {"x\n{\"event\":\"forged\"}", "x\n{\"event\":\"forged\"}"},
      {"\r\x1b[2J\x7f", "\r\x1b[2J\x7f"},
      {std::string("nul\0x", 5), std::string("nul\0x", 5)},
      {"\xc3\xa9\xf0\x9f\x94\x91", "\xc3\xa9\xf0\x9f\x94\x91"},
      {"half \xc3", "half \xef\xbf\xbd"},
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {every, ""},
  };
  for (const Row& row : rows) {
    const std::string line = format_line("info", "e.f", {{"v", row.value}, {"n", int64_t{-3}}});
    for (char c : line) CHECK((c >= 0x20 && c < 0x7f));
    auto read = parse_json(line, 8192);
    REQUIRE(read.ok());
    CHECK((*read)["level"] == "info");
    CHECK((*read)["program"] == "cstl-test");
    CHECK((*read)["event"] == "e.f");
    CHECK((*read)["n"] == -3);
    if (!row.read.empty()) CHECK((*read)["v"] == row.read);
    std::string time = (*read)["time"].get<std::string>();
    REQUIRE(time.size() == 24);
    CHECK(time.substr(19, 1) == ".");
    time.erase(19, 4);
    CHECK(parse_utc(time).ok());
  }
  log_as("cstl-test");
}
