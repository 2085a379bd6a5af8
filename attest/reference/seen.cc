#include "attest/reference/seen.h"

#include "crypto/base/json_object.h"

namespace cstl {

namespace {
using nlohmann::json;
constexpr int kDepth = 4;

Result<SeenReference> read_entry(const json& value, std::string* problem) {
  SeenReference out;
  JsonObject entry(value, Code::config_malformed, "names.", problem);
  TRY(entry.members({"version", "sha256"}));
  TRY_LET(out.version, entry.number("version", 0, 1, INT64_MAX));
  if (out.version == 0) return entry.wrong("version", "is missing");
  TRY(entry.hex("sha256", out.document));
  return out;
}
}  // namespace

Result<SeenReferences> SeenReferences::parse(std::string_view text, std::string* problem) {
  auto document = parse_json(text, kMaxSeenText, kDepth);
  if (!document.ok()) {
    *problem = "is not JSON";
    return fail(Code::config_malformed, "seen.json");
  }
  JsonObject root(*document, Code::config_malformed, "", problem);
  TRY(root.members({"cstl", "names"}));
  TRY(root.literal("cstl", "reference-seen/1"));
  TRY_LET(const json* names, root.member("names"));
  if (!names->is_object() || names->size() > kMaxSeenNames) {
    return root.wrong("names", "is not a map of at most 256 names");
  }
  SeenReferences out;
  for (const auto& [name, value] : names->items()) {
    TRY_LET(out.names_[name], read_entry(value, problem));
  }
  return out;
}

std::string SeenReferences::to_json() const {
  json names = json::object();
  for (const auto& [name, seen] : names_) names[name] = {{"version", seen.version}, {"sha256", to_hex(seen.document)}};
  const json root = {{"cstl", "reference-seen/1"}, {"names", std::move(names)}};
  return root.dump(2, ' ', true, json::error_handler_t::replace) + "\n";
}

SeenReference SeenReferences::of(const std::string& name) const {
  auto found = names_.find(name);
  return found == names_.end() ? SeenReference{} : found->second;
}

Status SeenReferences::remember(const std::string& name, const SeenReference& seen) {
  if (names_.count(name) == 0 && names_.size() >= kMaxSeenNames) return fail(Code::too_long, "seen.names");
  names_[name] = seen;
  return success();
}

}  // namespace cstl
