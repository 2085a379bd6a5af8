#include "boot/components/unpack.h"

#include <doctest/doctest.h>

#include "boot/components/download.h"

using namespace cstl;

TEST_CASE("names of entries: nothing absolute, nothing upwards") {
  CHECK(*entry_name("./a//b/./c/") == "a/b/c");
  CHECK(entry_name("./")->empty());
  CHECK(*entry_name("..a/b..") == "..a/b..");
  for (const char* bad : {"", "/a", "..", "a/../b", "../a", "a/..", "a\nb", "\x7f"}) {
    CHECK_MESSAGE(entry_name(bad).code() == Code::component_unsafe, bad);
  }
  CHECK(entry_name(std::string(256, 'a')).code() == Code::component_unsafe);
  CHECK(entry_name(std::string(2000, '/') + "a").code() == Code::component_unsafe);
  std::string deep;
  for (int i = 0; i < 33; ++i) deep += "a/";
  CHECK(entry_name(deep).code() == Code::component_unsafe);
}

TEST_CASE("targets of symbolic links stay inside, whatever other links there are") {
  struct Row { const char* name; const char* target; bool good; };
  const Row rows[] = {
      {"a", "b", true},          {"d/a", "../b", true},      {"d/e/a", "../../b/c", true}, {"a", "./b", true},
      {"a", "..", false},        {"d/a", "../..", false},    {"a", "/b", false},           {"a", "", false},
      {"d/a", "x/../b", false},  {"a", "b/../../c", false},  {"d/a", "..", true},          {"a", "b\nc", false},
  };
  for (const Row& row : rows) CHECK_MESSAGE(check_link(row.name, row.target).ok() == row.good, row.target);
}

TEST_CASE("data: URLs") {
  auto text = [](std::string_view url) {
    auto out = decode_data_url(url, 100);
    return out ? std::string(Bytes(*out).text()) : "error " + std::to_string(static_cast<int>(out.code()));
  };
  CHECK(text("data:,hello%20world") == "hello world");
  CHECK(text("data:text/plain;base64,aGVsbG8=") == "hello");
  CHECK(text("data:;base64,aGVsbG8%3D") == "hello");
  CHECK(text("data:,") == "");
  CHECK(text("data:hello") == "error 105");
  CHECK(text("data:,%2") == "error 105");
  CHECK(text("data:,%zz") == "error 105");
  CHECK(text("data:;base64,aGVsbG8") == "error 105");
  CHECK(text("data:," + std::string(101, 'a')) == "error 912");
}
