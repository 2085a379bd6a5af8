#include "crypto/base/base64.h"

#include <doctest/doctest.h>

using namespace cstl;

TEST_CASE("base64: the vectors of RFC 4648, both ways") {
  struct Row {
    const char* plain;
    const char* text;
  };
  for (Row row : {Row{"", ""}, Row{"f", "Zg=="}, Row{"fo", "Zm8="}, Row{"foo", "Zm9v"}, Row{"foob", "Zm9vYg=="},
                  Row{"fooba", "Zm9vYmE="}, Row{"foobar", "Zm9vYmFy"}}) {
    CHECK(to_base64(row.plain) == row.text);
    auto back = from_base64(row.text, 6);
    REQUIRE(back.ok());
    CHECK(equal(*back, row.plain));
  }
}

TEST_CASE("base64: each refusal") {
  struct Row {
    const char* name;
    const char* text;
    size_t max;
    Code code;
  };
  const Row rows[] = {
      {"no padding", "Zg", 10, Code::bad_value},
      {"three paddings", "Z===", 10, Code::bad_value},
      {"padding in the middle", "Zg==Zg==", 10, Code::bad_value},
      {"a line break", "Zm9v\nZm9", 10, Code::bad_value},
      {"the alphabet for URLs", "Zm-_", 10, Code::bad_value},
      {"unused bits with one padding", "Zm9=", 10, Code::bad_value},
      {"unused bits with two", "Zh==", 10, Code::bad_value},
      {"one byte too many", "Zm9v", 2, Code::too_long},
      {"one group too many", "Zm9vZm9v", 3, Code::too_long},
      {"nothing allowed", "Zg==", 0, Code::too_long},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(from_base64(row.text, row.max).code() == row.code);
  }
}
