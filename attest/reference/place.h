// For the readers of reference values: where a text is wrong, and the first checks of a member. Only attest/reference/*.cc
// include it.
#pragma once

#include "attest/reference/values.h"
#include "crypto/base/json.h"

namespace cstl::reference {

using Json = nlohmann::json;

// Collects where a text is wrong, for the person who has to correct it.
class Place {
 public:
  Place(std::string* problem, std::string path) : problem_(problem), path_(std::move(path)) {}
  Place at(std::string_view key) const { return Place(problem_, path_.empty() ? std::string(key) : path_ + "." + std::string(key)); }
  Place at(size_t index) const { return Place(problem_, path_ + "[" + std::to_string(index) + "]"); }
  Error refuse(std::string_view what, Code code = Code::reference_malformed, const char* site = "reference") const {
    if (problem_ != nullptr) *problem_ = (path_.empty() ? std::string() : path_ + ": ") + std::string(what);
    return fail(code, site);
  }

 private:
  std::string* problem_;
  std::string path_;
};

inline bool plain_text(std::string_view text, size_t max) {
  if (text.size() > max) return false;
  for (char c : text) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

// Unknown members are refused; `needed` members must be there.
inline Status check_members(const Json& object, std::initializer_list<std::string_view> needed,
                     std::initializer_list<std::string_view> optional, const Place& place) {
  if (!object.is_object()) return place.refuse("must be an object");
  for (const auto& member : object.items()) {
    bool known = false;
    for (std::string_view name : needed) known = known || member.key() == name;
    for (std::string_view name : optional) known = known || member.key() == name;
    if (!known) return place.at(plain_text(member.key(), kMaxComponent) ? member.key() : "?").refuse("unknown field");
  }
  for (std::string_view name : needed) {
    if (!object.contains(name)) return place.at(name).refuse("is missing");
  }
  return success();
}

inline Result<std::string> text_of(const Json& value, const Place& place) {
  if (!value.is_string()) return place.refuse("must be a string");
  return value.get_ref<const std::string&>();
}

}  // namespace cstl::reference
