// The operator's workspace: cstl-conf.yaml (written by people), cstl-state.yaml (public facts of the cluster),
// cstl-mastersecret.json (0600: the root of every key, and the owner key), reference-values.json.
// Every file is written atomically and durably; nothing here prints.
#pragma once

#include <string>
#include <vector>

#include "attest/reference/values.h"
#include "crypto/keys.h"
#include "crypto/sign.h"

namespace cstl::cli {

struct Config {                        // cstl-conf.yaml
  std::string name;                    // RFC 1123 label
  Variant variant = Variant::qemu_vtpm;
  std::string reference_values;        // path, relative to the workspace
  std::string init_endpoint;           // of the first control plane; empty until known
  std::string init_secret_file;        // path; empty: the one that mini made
  struct Mini {                        // one control plane, and:
    int workers = 1;
    int memory_mib = 512;
    int64_t disk_gib = 4;
    std::string image;                 // the UKI
    std::string firmware_code, firmware_vars;
  } mini;
};

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

std::string config_path(const std::string& workspace);
// A commented template.
std::string config_template(const std::string& name);
// Pure: text in, Config out. `problem` names the place. Errors: config_malformed.
Result<Config> parse_config(std::string_view text, std::string* problem);
Result<Config> load_config(const std::string& workspace, std::string* problem);

Result<ClusterState> parse_state(std::string_view text, std::string* problem);
Result<ClusterState> load_state(const std::string& workspace, std::string* problem);
Status store_state(const std::string& workspace, const ClusterState& state);
bool state_exists(const std::string& workspace);

// Makes and stores a new one. Errors: exists when there is one already (it is never overwritten).
Result<Owner> create_owner(const std::string& workspace);
// Errors: workspace (missing, malformed, readable by others).
Result<Owner> load_owner(const std::string& workspace, std::string* problem);
bool owner_exists(const std::string& workspace);

// The reference values that the configuration (or `path`, if not empty) names.
Result<ReferenceValues> load_reference_values(const std::string& workspace, const std::string& path,
                                              std::string* json_text, std::string* problem);

std::string in_workspace(const std::string& workspace, const std::string& path);  // absolute paths stay
int64_t unix_now();

}  // namespace cstl::cli
