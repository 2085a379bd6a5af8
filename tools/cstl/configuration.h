// cstl-conf.yaml: what people decide about a cluster. Strict: unknown keys, wrong kinds and values out of bounds are
// refused and the place is named. docs/operations.md describes it.
#pragma once

#include <optional>
#include <string>

#include "boot/cluster/config.h"

namespace cstl::cli {

struct MachineSize {
  int cpus = 1;
  int memory_mib = 512;
};

struct Config {
  std::string name;                    // RFC 1123 label
  Variant variant = Variant::qemu_vtpm;
  std::string reference_values;        // path, relative to the workspace
  std::string reference_trust;         // path of the trust policy; empty: the file is trusted as it is
  std::string init_endpoint;           // of the first control plane; empty until known
  std::string init_secret_file;        // path; empty: the one that mini made
  std::optional<ClusterConfig> kubernetes;  // nullopt: a cluster without Kubernetes
  std::string kubectl;                 // the program: a path, relative to the workspace, or a word to look up in PATH
  struct Mini {
    int control_planes = 1;            // more than one only with Kubernetes, which holds their records
    int workers = 1;
    MachineSize control_plane, worker;
    int64_t disk_gib = 4;
    std::string image;                 // the UKI; empty: there is no mini section
    std::string root;                  // the root disk that all machines read; empty: the UKI holds everything
    std::string bundle;                // of cstl bundle create, a disk that all machines read; empty: none
    std::string firmware_code, firmware_vars;
  } mini;
};

std::string config_path(const std::string& workspace);
// A commented template, with Kubernetes or without.
std::string config_template(const std::string& name, bool kubernetes);
// Pure: text in, Config out. `problem` names the place. Errors: config_malformed, cluster_malformed, kubernetes_version.
Result<Config> parse_config(std::string_view text, std::string* problem);
Result<Config> load_config(const std::string& workspace, std::string* problem);

// policy/cilium/values.yaml with the cluster's range of pods. Pure. Errors: config_malformed (the cluster has no
// Kubernetes, or another network).
Result<std::string> cilium_values(const Config& config);

}  // namespace cstl::cli
