// What mini asks the cluster, through kubectl: the operator has it anyway, and it brings TLS client certificates and the
// API's versions along. Its output is bounded and parsed strictly enough to trust nothing but its shape.
#pragma once

#include <vector>

#include "tools/cstl/command.h"
#include "tools/cstl/configuration.h"

namespace cstl::cli {

struct NodeView {
  std::string name;
  bool ready = false;
  std::string why;  // when it is not: reason and message, made printable
};

// The answer of `kubectl get nodes -o json`. Pure. Errors: bad_json, too_long.
Result<std::vector<NodeView>> parse_nodes(std::string_view text);

// Errors: kubectl_failed (it is missing, failed or took more than a minute: `problem` holds its words), bad_json.
Result<std::vector<NodeView>> read_nodes(const Context& context, const Config& config, std::string* problem);

// What `kubectl get nodes -o wide` prints. Errors: as above.
Result<std::string> nodes_table(const Context& context, const Config& config, std::string* problem);

// What all nodes are waited for: `registered` where the pods' network is still to be installed.
enum class NodeGoal : uint8_t { ready, registered };
// Empty when all of `names` are there; else, for people, which are not and why. Pure.
std::string nodes_lacking(const std::vector<NodeView>& nodes, const std::vector<std::string>& names, NodeGoal goal);

// Waits until nothing is lacking, with a line of progress whenever something changed. Errors: node_not_ready; `problem`
// says which and why.
Status wait_for_nodes(const Context& context, const Config& config, const std::vector<std::string>& names, NodeGoal goal,
                      int64_t timeout_s, std::string* problem);

}  // namespace cstl::cli
