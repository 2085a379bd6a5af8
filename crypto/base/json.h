// The gate in front of nlohmann/json: size and nesting are bounded before it parses (its recursion is not), and duplicate
// keys are refused. Exceptions are off, so callers check a value's type before they get it.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "crypto/base/result.h"

namespace cstl {

// Errors: too_long (more than max_bytes), bad_json (syntax, depth, duplicate key, trailing text, invalid UTF-8).
Result<nlohmann::json> parse_json(std::string_view text, size_t max_bytes, int max_depth = 16);

}  // namespace cstl
