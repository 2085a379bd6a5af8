// What init does, for the command itself and for mini.
#pragma once

#include "tools/cstl/command.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

struct InitPlan {
  std::string endpoint;            // of the first control plane's init server
  std::string init_secret_file;
  std::vector<NodeFacts> nodes;    // recorded in cstl-state.yaml
  std::string cluster;             // JSON of ClusterConfig; empty: without Kubernetes
  std::string api;                 // where the operator reaches the API: "https://127.0.0.1:40123"; empty: as nodes do
  bool report = true;              // whether the outcome is the command's result, or a step of one
};
// Makes the cluster: attests the machine, sends it the master secret, records the cluster and, with Kubernetes, stores the
// administrator's kubeconfig. May be repeated after a
// failure: the master secret and the measurement salt are stored before anything is sent. Returns an exit code.
int initialise(const Context& context, const ReferenceValues& values, const std::string& values_json,
               const InitPlan& plan);

// The plan of a workspace: from the options, cstl-conf.yaml or the machines of mini. Errors: usage, workspace.
Result<InitPlan> init_plan(const Context& context, std::string* problem);

}  // namespace cstl::cli
