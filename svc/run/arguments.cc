#include "svc/run/arguments.h"

#include <algorithm>

namespace cstl {

Result<Arguments> Arguments::parse(int argc, char** argv, std::initializer_list<Option> options, std::string* problem) {
  Arguments out;
  auto given = [&](std::string_view name) {
    return std::any_of(out.values_.begin(), out.values_.end(), [&](const auto& v) { return v.first == name; });
  };
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    *problem = argv[i];
    if (name == "--help") {
      out.help_ = true;
      return out;
    }
    bool known = std::any_of(options.begin(), options.end(), [&](const Option& o) { return name == o.name; });
    if (!known) return fail(Code::usage, "arguments.unknown");
    if (given(name)) return fail(Code::usage, "arguments.repeated");
    if (i + 1 == argc) return fail(Code::usage, "arguments.value");
    out.values_.emplace_back(name, argv[++i]);
  }
  for (const Option& option : options) {
    if (given(option.name)) continue;
    *problem = option.name;
    if (option.fallback == nullptr) return fail(Code::usage, "arguments.missing");
    out.values_.emplace_back(option.name, option.fallback);
  }
  problem->clear();
  return out;
}

const std::string& Arguments::get(std::string_view name) const {
  for (const auto& value : values_) {
    if (value.first == name) return value.second;
  }
  trap("arguments.name");
}

Result<size_t> Arguments::number(std::string_view name, size_t low, size_t high) const {
  const std::string& text = get(name);
  size_t out = 0;
  if (text.empty() || text.size() > 9) return fail(Code::usage, "arguments.number");
  for (char c : text) {
    if (c < '0' || c > '9') return fail(Code::usage, "arguments.number");
    out = out * 10 + static_cast<size_t>(c - '0');
  }
  if (out < low || out > high) return fail(Code::usage, "arguments.number");
  return out;
}

std::string help_text(const char* program, const char* what, std::initializer_list<Option> options) {
  std::string out = std::string("usage: ") + program + " [--option value]...\n\n" + what + "\n\n";
  for (const Option& option : options) {
    std::string left = std::string("  ") + option.name + " " + option.value;
    left.resize(std::max<size_t>(left.size() + 2, 34), ' ');
    out += left + option.help;
    if (option.fallback == nullptr) {
      out += " (required)";
    } else if (option.fallback[0] != '\0') {
      out += std::string(" (default: ") + option.fallback + ")";
    }
    out += '\n';
  }
  return out;
}

}  // namespace cstl
