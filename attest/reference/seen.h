// Which versions of signed reference values were taken before, by the name of the document: what rollback protection
// (attest/reference/signed.h) remembers between two runs. A small JSON text that its owner keeps where nobody else
// writes:
//   {"cstl": "reference-seen/1", "names": {"prod": {"version": 7, "sha256": "<64 hex digits>"}}}
// Parsing allocates and does no I/O.
#pragma once

#include <map>

#include "attest/reference/signed.h"

namespace cstl {

constexpr size_t kMaxSeenText = 64 * 1024;
constexpr size_t kMaxSeenNames = 256;

class SeenReferences {
 public:
  // Errors: config_malformed, with the place in `problem`. A damaged memory is refused, never taken for an empty one.
  static Result<SeenReferences> parse(std::string_view json, std::string* problem);
  std::string to_json() const;  // parses back to itself

  SeenReference of(const std::string& name) const;  // version 0: nothing yet
  // Errors: too_long (more names than kMaxSeenNames).
  Status remember(const std::string& name, const SeenReference& seen);

 private:
  std::map<std::string, SeenReference> names_;
};

}  // namespace cstl
