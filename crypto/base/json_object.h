// One JSON object with a fixed set of members: unknown ones are refused, each is checked for its type and length before
// use. Every failure has the caller's code and names the member in `problem`, which quotes nothing of the input but the
// name of an unknown member, if that is a plain word.
#pragma once

#include <initializer_list>
#include <string>

#include "crypto/base/bytes.h"
#include "crypto/base/json.h"

namespace cstl {

class JsonObject {
 public:
  // `value` and `problem` (may be null) must outlive this. `where` prefixes member names: "" or "network.".
  JsonObject(const nlohmann::json& value, Code code, const char* where, std::string* problem)
      : value_(value), code_(code), where_(where), problem_(problem) {}

  // It is an object and every member is one of `known`.
  Status members(std::initializer_list<std::string_view> known) const;
  bool has(const char* name) const;
  // The member, which must be a string of 1..max bytes; borrowed from the value.
  Result<std::string_view> text(const char* name, size_t max) const;
  // Likewise; empty when it is missing.
  Result<std::string_view> optional_text(const char* name, size_t max) const;
  // The member, which must be a string equal to `expected`.
  Status literal(const char* name, std::string_view expected) const;
  // The member, which must be an integer in [low, high]; `otherwise` when it is missing.
  Result<int64_t> number(const char* name, int64_t otherwise, int64_t low, int64_t high) const;
  // The member, which must be hexadecimal digits that fill `out` exactly.
  Status hex(const char* name, MutBytes out) const;
  // The member, of any type.
  Result<const nlohmann::json*> member(const char* name) const;

  // Sets `problem` to "<where><name>: <what>".
  Error wrong(const char* name, const char* what) const;

 private:
  const nlohmann::json& value_;
  Code code_;
  const char* where_;
  std::string* problem_;
};

}  // namespace cstl
