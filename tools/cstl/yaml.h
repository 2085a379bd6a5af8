// YAML that people write, by libyaml, as JSON values: one document, block or flow style, plain scalars become booleans
// and integers where YAML 1.2's core schema says so. Anchors, aliases, tags and duplicate keys are refused.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace cstl::cli {

constexpr size_t kMaxYaml = 64 * 1024;

// Errors: config_malformed (with "line N: …" in `problem`), too_long.
Result<nlohmann::json> parse_yaml(std::string_view text, std::string* problem);
// Objects, arrays, strings, integers, booleans; deterministic.
std::string write_yaml(const nlohmann::json& value);

}  // namespace cstl::cli
