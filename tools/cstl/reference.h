// Signed reference values in a workspace: the files beside a document, and the memory of what was seen. Nothing here prints.
#pragma once

#include <string>

#include "attest/reference/signed.h"

namespace cstl::cli {

// Where open_signed() finds the files beside `path`.
SignatureSource files_beside(const std::string& path);

// Errors: workspace, trust_malformed; `problem` names the place.
Result<TrustPolicy> load_trust(const std::string& path, std::string* problem);

// cstl-reference-seen.json: {"cstl": "reference-seen/1", "names": {NAME: {"version", "sha256"}}}. Nothing seen: version 0.
// A file that is there and cannot be read is an error, not a fresh start. Errors: workspace, config_malformed.
Result<SeenReference> load_seen(const std::string& workspace, const std::string& name, std::string* problem);

// open_signed() with the workspace's memory, which then holds what was opened: atomically, durably, and with a lock on the
// workspace's folder, so that two commands at once cannot take it back. Errors: those of open_signed(), workspace, io.
Result<ReferenceValues> open_and_remember(const std::string& workspace, const std::string& path, const std::string& trust,
                                          std::string_view document, std::string* problem);

}  // namespace cstl::cli
