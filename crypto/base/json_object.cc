#include "crypto/base/json_object.h"

#include <algorithm>

namespace cstl {

namespace {
bool plain_word(const std::string& text) {
  constexpr size_t kLongest = 32;
  return text.size() <= kLongest && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}
}  // namespace

Error JsonObject::wrong(const char* name, const char* what) const {
  if (problem_) *problem_ = std::string(where_) + name + ": " + what;
  return fail(code_, "json.object");
}

Status JsonObject::members(std::initializer_list<std::string_view> known) const {
  if (!value_.is_object()) return wrong("", "is not an object");
  for (const auto& item : value_.items()) {
    if (std::find(known.begin(), known.end(), std::string_view(item.key())) == known.end()) {
      return wrong("", ("holds an unknown member" + (plain_word(item.key()) ? ": " + item.key() : "")).c_str());
    }
  }
  return success();
}

bool JsonObject::has(const char* name) const { return value_.is_object() && value_.contains(name); }

Result<const nlohmann::json*> JsonObject::member(const char* name) const {
  if (!value_.is_object()) return wrong(name, "is missing");
  auto found = value_.find(name);
  if (found == value_.end()) return wrong(name, "is missing");
  return &*found;
}

Result<std::string_view> JsonObject::text(const char* name, size_t max) const {
  TRY_LET(const nlohmann::json* value, member(name));
  const std::string* text = value->get_ptr<const std::string*>();
  if (!text) return wrong(name, "is not a string");
  if (text->empty()) return wrong(name, "is empty");
  if (text->size() > max) return wrong(name, "is too long");
  return std::string_view(*text);
}

Result<std::string_view> JsonObject::optional_text(const char* name, size_t max) const {
  return has(name) ? text(name, max) : std::string_view();
}

Status JsonObject::literal(const char* name, std::string_view expected) const {
  TRY_LET(std::string_view value, text(name, expected.size()));
  if (value != expected) return wrong(name, "has an unknown value");
  return success();
}

Result<int64_t> JsonObject::number(const char* name, int64_t otherwise, int64_t low, int64_t high) const {
  if (!has(name)) return otherwise;
  TRY_LET(const nlohmann::json* value, member(name));
  const bool within = value->is_number_integer() && (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX) &&
                      value->get<int64_t>() >= low && value->get<int64_t>() <= high;
  if (!within) return wrong(name, ("is not a number from " + std::to_string(low) + " to " + std::to_string(high)).c_str());
  return value->get<int64_t>();
}

Status JsonObject::hex(const char* name, MutBytes out) const {
  TRY_LET(std::string_view value, text(name, out.size() * 2));
  if (!from_hex(value, out)) return wrong(name, "is not hexadecimal of the right length");
  return success();
}

}  // namespace cstl
