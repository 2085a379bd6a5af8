// The operator's workspace: cstl-conf.yaml (configuration.h), cstl-state.yaml (public facts of the cluster),
// cstl-mastersecret.json (0600: the root of every key, and the owner key), reference-values.json.
// Every file is written atomically and durably; nothing here prints.
#pragma once

#include <string>
#include <vector>

#include "attest/reference/values.h"
#include "crypto/keys.h"
#include "crypto/sign.h"
#include "tools/cstl/configuration.h"

namespace cstl::cli {

struct NodeFacts {
  std::string name;
  Role role = Role::worker;
  std::string verify;                  // endpoint of its verificationservice
  std::string recover;                 // endpoint of its recovery listener
};

struct ClusterState {                  // cstl-state.yaml
  Digest32 cluster_id{};
  Digest32 measurement_salt{};
  P256Point owner_key{};
  std::vector<NodeFacts> nodes;
};

struct Owner {                         // cstl-mastersecret.json; secret
  MasterSecret master;
  SigningKey key;
};

Result<ClusterState> parse_state(std::string_view text, std::string* problem);
Result<ClusterState> load_state(const std::string& workspace, std::string* problem);
Status store_state(const std::string& workspace, const ClusterState& state);
bool state_exists(const std::string& workspace);

// Makes and stores a new one. Errors: exists when there is one already (it is never overwritten).
Result<Owner> create_owner(const std::string& workspace);
// Errors: workspace (missing, malformed, readable by others).
Result<Owner> load_owner(const std::string& workspace, std::string* problem);
bool owner_exists(const std::string& workspace);

// The reference values that the configuration (or `path`, if not empty) names. Where a configuration names a trust policy,
// whatever file is read must be signed as it says, and no version older than one that this workspace has seen is taken:
// cstl-reference-seen.json remembers (attest/reference/signed.h; the codes of open_signed()).
Result<ReferenceValues> load_reference_values(const std::string& workspace, const std::string& path,
                                              std::string* json_text, std::string* problem);

// Errors: workspace, with the path as `problem`.
Result<std::string> read_text(const std::string& path, size_t max, std::string* problem);

std::string absolute_workspace(const std::string& workspace);
std::string in_workspace(const std::string& workspace, const std::string& path);  // absolute paths stay
int64_t unix_now();

}  // namespace cstl::cli
