#include "crypto/base/json.h"

#include <set>
#include <string>
#include <vector>

namespace cstl {

namespace {
// Depth of a text that may not be JSON at all: strings are skipped so that brackets inside them do not count.
bool too_deep(std::string_view text, int max_depth) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max_depth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}
}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, size_t max_bytes, int max_depth) {
  if (text.size() > max_bytes) return fail(Code::too_long, "json.size");
  if (too_deep(text, max_depth)) return fail(Code::bad_json, "json.depth");
  std::vector<std::set<std::string>> keys;
  bool duplicate = false;
  nlohmann::json::parser_callback_t watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (event == nlohmann::json::parse_event_t::object_start) keys.emplace_back();
    if (event == nlohmann::json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == nlohmann::json::parse_event_t::key && !keys.empty()) {
      duplicate = duplicate || !keys.back().insert(value.get_ref<const std::string&>()).second;
    }
    return true;
  };
  nlohmann::json out = nlohmann::json::parse(text, watch, false);
  if (out.is_discarded()) return fail(Code::bad_json, "json.syntax");
  if (duplicate) return fail(Code::bad_json, "json.duplicate_key");
  return out;
}

}  // namespace cstl
