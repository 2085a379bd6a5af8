#include "tools/cstl/reference.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/json_object.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr size_t kMaxSeenFile = 64 * 1024;
constexpr size_t kMaxSeenNames = 256;

std::string seen_path(const std::string& workspace) { return workspace + "/cstl-reference-seen.json"; }

Result<json> load_names(const std::string& workspace, std::string* problem) {
  std::string path = seen_path(workspace);
  if (access(path.c_str(), F_OK) != 0) return json(json::object());
  TRY_LET(std::string text, read_text(path, kMaxSeenFile, problem));
  auto document = parse_json(text, kMaxSeenFile, 4);
  if (!document.ok()) {
    *problem = path + ": is not JSON";
    return fail(Code::config_malformed, "seen.json");
  }
  JsonObject root(*document, Code::config_malformed, "", problem);
  TRY(root.members({"cstl", "names"}));
  TRY(root.literal("cstl", "reference-seen/1"));
  TRY_LET(const json* names, root.member("names"));
  if (!names->is_object() || names->size() > kMaxSeenNames) return root.wrong("names", "is not a map of at most 256 names");
  return *names;
}

Result<SeenReference> seen_of(const json& names, const std::string& name, std::string* problem) {
  SeenReference out;
  auto found = names.find(name);
  if (found == names.end()) return out;
  JsonObject entry(*found, Code::config_malformed, "names.", problem);
  TRY(entry.members({"version", "sha256"}));
  TRY_LET(out.version, entry.number("version", 0, 1, INT64_MAX));
  if (out.version == 0) return entry.wrong("version", "is missing");
  TRY(entry.hex("sha256", out.document));
  return out;
}
}  // namespace

SignatureSource files_beside(const std::string& path) {
  return [path](const std::string& suffix) -> Result<std::vector<uint8_t>> {
    size_t limit = suffix.size() > 4 && suffix.compare(suffix.size() - 4, 4, ".sig") == 0 ? kMaxSignatureFile : kMaxTransparencyFile;
    if (suffix == ".sig") limit = kMaxSignatureFile;
    return read_file((path + suffix).c_str(), limit);
  };
}

Result<TrustPolicy> load_trust(const std::string& path, std::string* problem) {
  TRY_LET(std::string text, read_text(path, kMaxTrustPolicy, problem));
  auto policy = TrustPolicy::parse(text, problem);
  if (!policy.ok()) *problem = path + ": " + *problem;
  return policy;
}

Result<SeenReference> load_seen(const std::string& workspace, const std::string& name, std::string* problem) {
  TRY_LET(json names, load_names(workspace, problem));
  return seen_of(names, name, problem);
}

Result<ReferenceValues> open_and_remember(const std::string& workspace, const std::string& path, const std::string& trust,
                                          std::string_view document, std::string* problem) {
  TRY_LET(TrustPolicy policy, load_trust(trust, problem));
  auto folder = open_file(workspace.c_str(), O_RDONLY | O_DIRECTORY);
  if (!folder.ok()) return fail(Code::workspace, "seen.folder", folder.error().origin, folder.error().foreign);
  if (flock(folder->get(), LOCK_EX) != 0) return fail_errno("seen.lock");  // released when the descriptor closes
  TRY_LET(json names, load_names(workspace, problem));
  TRY_LET(SeenReference seen, seen_of(names, policy.name, problem));
  auto opened = open_signed(Bytes(document), files_beside(path), policy, seen, unix_now(), problem);
  if (!opened.ok()) {
    *problem = path + ": " + *problem;
    return opened.error();
  }
  if (opened->seen.version != seen.version) {
    names[policy.name] = {{"version", opened->seen.version}, {"sha256", to_hex(opened->seen.document)}};
    json root = {{"cstl", "reference-seen/1"}, {"names", std::move(names)}};
    std::string text = root.dump(2, ' ', true, json::error_handler_t::replace) + "\n";
    TRY(write_file_durably(seen_path(workspace).c_str(), Bytes(text), 0644));
  }
  return std::move(opened->values);
}

}  // namespace cstl::cli
