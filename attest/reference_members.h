// What members of reference sets look like, whichever vendor's: lists of different values, and switches. Included by the
// .cc files that read and write sets. What is missing leaves the value as it is.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "crypto/base/json_object.h"

namespace cstl {

template <typename T>
Status read_hex(const std::string& text, T* value) { return from_hex(text, *value); }

// 1 to `max` strings, each of which `read` takes; none twice.
template <typename T>
Status read_list(const JsonObject& object, const char* name, size_t max, std::vector<T>* out,
                 Status (*read)(const std::string& text, T* value) = read_hex<T>) {
  if (!object.has(name)) return success();
  TRY_LET(const nlohmann::json* list, object.member(name));
  if (!list->is_array() || list->empty()) return object.wrong(name, "is not a list with values");
  if (list->size() > max) return object.wrong(name, "has too many values");
  for (const nlohmann::json& item : *list) {
    const std::string* text = item.get_ptr<const std::string*>();
    T value{};
    if (text == nullptr || !read(*text, &value).ok()) return object.wrong(name, "holds a value of another form");
    if (std::find(out->begin(), out->end(), value) != out->end()) return object.wrong(name, "holds a value twice");
    out->push_back(value);
  }
  return success();
}

inline Status read_bool(const JsonObject& object, const char* name, bool* value) {
  if (!object.has(name)) return success();
  TRY_LET(const nlohmann::json* member, object.member(name));
  if (!member->is_boolean()) return object.wrong(name, "is not true or false");
  *value = member->get<bool>();
  return success();
}

// No member for an empty list.
template <typename T>
void write_list(nlohmann::json* out, const char* name, const std::vector<T>& list) {
  if (list.empty()) return;
  nlohmann::json values = nlohmann::json::array();
  for (const T& item : list) values.push_back(to_hex(item));
  (*out)[name] = std::move(values);
}

}  // namespace cstl
