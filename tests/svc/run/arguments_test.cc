#include "svc/run/arguments.h"

#include <doctest/doctest.h>

namespace cstl {
namespace {

constexpr std::initializer_list<Option> kOptions = {{"--must", "X", nullptr, "needed"}, {"--may", "N", "7", "optional"}};

Result<Arguments> parse(std::vector<std::string> words, std::string* problem) {
  words.insert(words.begin(), "program");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return Arguments::parse(static_cast<int>(argv.size()), argv.data(), kOptions, problem);
}

TEST_CASE("command lines of services") {
  struct Row {
    const char* name;
    std::vector<std::string> words;
    Code code;
    const char* problem;
  };
  const Row rows[] = {
      {"what is needed is enough", {"--must", "a"}, Code::ok, ""},
      {"an empty value is a value", {"--must", ""}, Code::ok, ""},
      {"help needs nothing else", {"--help"}, Code::ok, "--help"},
      {"a needed option is missing", {"--may", "1"}, Code::usage, "--must"},
      {"an unknown option", {"--must", "a", "--no-sandbox"}, Code::usage, "--no-sandbox"},
      {"an option twice", {"--must", "a", "--must", "b"}, Code::usage, "--must"},
      {"an option without its value", {"--must"}, Code::usage, "--must"},
      {"a word that is no option", {"--must", "a", "b"}, Code::usage, "b"},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    std::string problem;
    auto arguments = parse(row.words, &problem);
    CHECK(arguments.code() == row.code);
    CHECK(problem == row.problem);
  }
}

TEST_CASE("numbers are decimal and inside their limits") {
  for (auto [text, code] : {std::pair{"7", Code::ok}, {"0", Code::usage}, {"11", Code::usage}, {"-1", Code::usage},
                            {"7x", Code::usage}, {"", Code::usage}, {"99999999999999999999", Code::usage}}) {
    std::string problem;
    auto arguments = parse({"--must", "a", "--may", text}, &problem);
    REQUIRE(arguments.ok());
    CHECK(arguments->number("--may", 1, 10).code() == code);
  }
}

}  // namespace
}  // namespace cstl
