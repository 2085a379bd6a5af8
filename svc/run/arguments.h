// Command lines of the services: "--name value" only, each at most once. Programs that machines start need no more.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace cstl {

struct Option {
  const char* name;       // "--listen"
  const char* value;      // "ADDRESS:PORT", for --help
  const char* fallback;   // nullptr: must be given
  const char* help;
};

class Arguments {
 public:
  // `problem` names the argument on error. Errors: usage.
  static Result<Arguments> parse(int argc, char** argv, std::initializer_list<Option> options, std::string* problem);
  bool help() const { return help_; }            // --help was given; nothing else counts then
  const std::string& get(std::string_view name) const;  // traps on a name that is no option
  // A decimal number in [low, high]. Errors: usage.
  Result<size_t> number(std::string_view name, size_t low, size_t high) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
  bool help_ = false;
};

std::string help_text(const char* program, const char* what, std::initializer_list<Option> options);

}  // namespace cstl
