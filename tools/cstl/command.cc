#include "tools/cstl/command.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "crypto/base/log.h"

namespace cstl::cli {

int exit_code_of(Code code) {
  auto number = static_cast<unsigned>(code);
  switch (code) {
    case Code::ok: return kExitOk;
    case Code::usage: return kExitUsage;
    case Code::config_malformed:
    case Code::cluster_malformed:
    case Code::kubernetes_version:
    case Code::workspace:
    case Code::reference_malformed:
    case Code::reference_empty:
    case Code::reference_expired:
    case Code::reference_unsigned:
    case Code::reference_signature:
    case Code::reference_rollback:
    case Code::reference_name:
    case Code::transparency_malformed:
    case Code::transparency_key:
    case Code::transparency_signature:
    case Code::transparency_proof:
    case Code::transparency_entry:
    case Code::transparency_missing:
    case Code::measurements_malformed:
    case Code::evidence_unknown:
    case Code::trust_malformed:
    case Code::image_malformed: return kExitWorkspace;
    case Code::timeout:
    case Code::api_unreachable:
    case Code::api_busy:
    case Code::component_unreachable:
    case Code::closed: return kExitUnreachable;
    case Code::peer_refused:
    case Code::peer_error: return kExitRefused;
    case Code::no_virtualization: return kExitMachine;
    default: break;
  }
  if (number >= 300 && number < 400) return kExitAttestation;
  return kExitFailure;
}

namespace {
bool known(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
}  // namespace

Result<Arguments> Arguments::parse(const std::vector<std::string>& words, const std::vector<std::string_view>& flags,
                                   const std::vector<std::string_view>& values, std::string* problem) {
  Arguments out;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.size() < 3 || word.compare(0, 2, "--") != 0) {
      out.positional_.push_back(word);
      continue;
    }
    size_t equals = word.find('=');
    std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (known(flags, name) && equals == std::string::npos) {
      out.options_.emplace_back(name, "");
    } else if (known(values, name) && equals != std::string::npos) {
      out.options_.emplace_back(name, word.substr(equals + 1));
    } else if (known(values, name) && i + 1 < words.size()) {
      out.options_.emplace_back(name, words[++i]);
    } else {
      *problem = known(values, name) ? word + " needs a value" : "unknown option " + word;
      return fail(Code::usage, "arguments");
    }
  }
  return out;
}

bool Arguments::has(std::string_view name) const {
  return std::any_of(options_.begin(), options_.end(), [&](const auto& option) { return option.first == name; });
}

std::string Arguments::get(std::string_view name, std::string_view otherwise) const {
  for (const auto& option : options_) {
    if (option.first == name) return option.second;
  }
  return std::string(otherwise);
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& option : options_) {
    if (option.first == name) out.push_back(option.second);
  }
  return out;
}

Result<int64_t> Arguments::number(std::string_view name, int64_t otherwise, int64_t low, int64_t high) const {
  if (!has(name)) return otherwise;
  std::string text = get(name);
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos) {
    return fail(Code::usage, "arguments.number");
  }
  int64_t value = std::strtoll(text.c_str(), nullptr, 10);
  if (value < low || value > high) return fail(Code::usage, "arguments.range");
  return value;
}

std::string printable(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 512)) out.push_back(c >= ' ' && c <= '~' ? c : '?');
  return out;
}

void progress(const Context& context, const std::string& text) {
  if (!context.json) std::fprintf(stderr, "· %s\n", text.c_str());
}

void result(const Context& context, const std::string& text, const nlohmann::json& object) {
  if (context.json) {
    std::printf("%s\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    std::fputs(text.c_str(), stdout);
  }
  std::fflush(stdout);
}

int failure(const Context& context, const std::string& what, const Error& error, const std::string& detail) {
  if (context.json) {
    nlohmann::json object = {{"error",
                              {{"what", what},
                               {"code", code_name(error.code)},
                               {"number", static_cast<unsigned>(error.code)},
                               {"site", error.site},
                               {"detail", detail},
                               {"advice", code_advice(error.code)}}}};
    result(context, "", object);
  } else {
    std::fprintf(stderr, "cstl: %s: %s\n", what.c_str(), describe(error).c_str());
    if (!detail.empty()) std::fprintf(stderr, "  %s\n", detail.c_str());
    std::fprintf(stderr, "  what to do: %s\n", code_advice(error.code));
  }
  return exit_code_of(error.code);
}

}  // namespace cstl::cli
