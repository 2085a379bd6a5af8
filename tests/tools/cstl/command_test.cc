#include "tools/cstl/command.h"

#include <doctest/doctest.h>

#include "crypto/base/fd.h"

using namespace cstl;
using namespace cstl::cli;

TEST_CASE("options are taken in each of their forms, and nothing else is") {
  std::string problem;
  auto good = Arguments::parse({"up", "--force", "--name", "a", "--name=b"}, {"force"}, {"name"}, &problem);
  REQUIRE(good.ok());
  CHECK(good->positional() == std::vector<std::string>{"up"});
  CHECK(good->has("force"));
  CHECK(good->all("name") == std::vector<std::string>{"a", "b"});
  CHECK(Arguments::parse({"--unknown"}, {"force"}, {"name"}, &problem).code() == Code::usage);
  CHECK(Arguments::parse({"--name"}, {"force"}, {"name"}, &problem).code() == Code::usage);
  CHECK(Arguments::parse({"--force=1"}, {"force"}, {"name"}, &problem).code() == Code::usage);
}

TEST_CASE("numbers are decimal and within their bounds") {
  std::string problem;
  auto parsed = [&](const char* text) {
    auto arguments = Arguments::parse({"--n", text}, {}, {"n"}, &problem);
    return arguments->number("n", 5, 1, 10);
  };
  CHECK(*parsed("10") == 10);
  for (const char* bad : {"0", "11", "-1", "0x2", "", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK(parsed(bad).code() == Code::usage);
  }
}

TEST_CASE("text of a peer cannot drive the terminal") {
  CHECK(printable("a\x1b[2J\n\xff") == "a?[2J??");
  CHECK(printable(std::string(600, 'a')).size() == 512);
}

TEST_CASE("docs/operations.md and exit_code_of agree on every error's exit code") {
  auto document = read_file("docs/operations.md", 1 << 20);
  REQUIRE(document.ok());
  std::string text(Bytes(*document).text());
  struct Row { Code code; const char* name; };
  const Row rows[] = {
#define X(number, name, what, advice) {Code::name, #name},
#include "crypto/base/code.def"
#undef X
  };
  for (const Row& row : rows) {
    std::string line = "| " + std::to_string(static_cast<unsigned>(row.code)) + " | `" + row.name + "` | " +
                       std::to_string(exit_code_of(row.code)) + " |";
    CHECK_MESSAGE(text.find(line) != std::string::npos, line);
  }
}
