#include "tools/cstl/reference.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "attest/reference/seen.h"
#include "crypto/base/fd.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
std::string seen_path(const std::string& workspace) { return workspace + "/cstl-reference-seen.json"; }

Result<SeenReferences> load_all(const std::string& workspace, std::string* problem) {
  const std::string path = seen_path(workspace);
  if (access(path.c_str(), F_OK) != 0) return SeenReferences();
  TRY_LET(std::string text, read_text(path, kMaxSeenText, problem));
  auto seen = SeenReferences::parse(text, problem);
  if (!seen.ok()) *problem = path + ": " + *problem;
  return seen;
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
  TRY_LET(SeenReferences all, load_all(workspace, problem));
  return all.of(name);
}

Result<ReferenceValues> open_and_remember(const std::string& workspace, const std::string& path, const std::string& trust,
                                          std::string_view document, std::string* problem) {
  TRY_LET(TrustPolicy policy, load_trust(trust, problem));
  auto folder = open_file(workspace.c_str(), O_RDONLY | O_DIRECTORY);
  if (!folder.ok()) return fail(Code::workspace, "seen.folder", folder.error().origin, folder.error().foreign);
  if (flock(folder->get(), LOCK_EX) != 0) return fail_errno("seen.lock");  // released when the descriptor closes
  TRY_LET(SeenReferences all, load_all(workspace, problem));
  const SeenReference seen = all.of(policy.name);
  auto opened = open_signed(Bytes(document), files_beside(path), policy, seen, unix_now(), problem);
  if (!opened.ok()) {
    *problem = path + ": " + *problem;
    return opened.error();
  }
  if (opened->seen.version != seen.version) {
    TRY(all.remember(policy.name, opened->seen));
    const std::string text = all.to_json();
    TRY(write_file_durably(seen_path(workspace).c_str(), Bytes(text), 0644));
  }
  return std::move(opened->values);
}

}  // namespace cstl::cli
