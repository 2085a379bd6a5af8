#include "crypto/base/log.h"

#include <doctest/doctest.h>

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
