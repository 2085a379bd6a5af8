#include "crypto/base/json.h"

#include <doctest/doctest.h>
#include <string>

using namespace cstl;

namespace {
std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }
}  // namespace

TEST_CASE("the gate takes JSON within its limits") {
  Result<nlohmann::json> value = parse_json(R"({"a": [1, {"b": "]}[{\"\\"}], "c": {"a": 2}})", 100);
  REQUIRE(value.ok());
  CHECK((*value)["c"]["a"] == 2);
  CHECK(parse_json(nested(16), 100).ok());
  CHECK(parse_json(nested(3), 100, 3).ok());
}

TEST_CASE("the gate refuses the rest with an exact code") {
  struct Row { const char* why; std::string text; Code code; } rows[] = {
      {"empty", "", Code::bad_json},
      {"too large", "[1,2,3,4]", Code::too_long},
      {"not closed", "{\"a\":1", Code::bad_json},
      {"trailing text", "{} x", Code::bad_json},
      {"second value", "{}{}", Code::bad_json},
      {"duplicate key", R"({"a":1,"a":2})", Code::bad_json},
      {"key duplicated below", R"([{"b":{"a":1,"a":2}}])", Code::bad_json},
      {"escaped duplicate", R"({"a":1,"\u0061":2})", Code::bad_json},
      {"bad UTF-8", "[\"\xff\xfe\"]", Code::bad_json},
      {"comment", "[1] // x", Code::bad_json},
      {"NaN", "[NaN]", Code::bad_json},
      {"single quotes", "['a']", Code::bad_json},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    size_t max = row.code == Code::too_long ? 8 : 100;
    CHECK(parse_json(row.text, max).code() == row.code);
  }
  CHECK(parse_json(nested(17), 100).code() == Code::bad_json);
  CHECK(parse_json(std::string(200000, '['), 1 << 20).code() == Code::bad_json);
  CHECK(parse_json(std::string(200000, ']') + std::string(200000, '['), 1 << 20).code() == Code::bad_json);
}
