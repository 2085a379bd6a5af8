#include "tools/cstl/client.h"
#include "tools/cstl/command.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
using nlohmann::json;

// Which of a machine's doors is open tells where it stands: it serves, it waits for recovery, or it is silent.
const char* condition_of(const NodeFacts& node) {
  if (!node.verify.empty() && answers(node.verify, 5000)) return "serving";
  if (!node.recover.empty() && answers(node.recover, 5000)) return "waits for its disk key";
  return "unreachable";
}

int run(const Context& context) {
  std::string problem;
  json files = {{"configuration", load_config(context.workspace, &problem).ok()},
                {"master_secret", owner_exists(context.workspace)},
                {"state", state_exists(context.workspace)}};
  auto word = [&](const char* name) { return files[name].get<bool>() ? "present" : "missing"; };
  std::string text = std::string("configuration  ") + word("configuration") + "\nmaster secret  " +
                     word("master_secret") + "\nstate          " + word("state") + "\n";
  json nodes = json::array();
  json document = {{"workspace", files}, {"nodes", nodes}};
  if (state_exists(context.workspace)) {
    auto state = load_state(context.workspace, &problem);
    if (!state.ok()) return failure(context, "status", state.error(), problem);
    document["cluster_id"] = to_hex(state->cluster_id);
    text += "cluster        " + to_hex(state->cluster_id) + "\n";
    for (const NodeFacts& node : state->nodes) {
      const char* condition = condition_of(node);
      nodes.push_back({{"name", node.name}, {"role", role_name(node.role)}, {"condition", condition}});
      text += node.name + " (" + role_name(node.role) + "): " + condition + "\n";
    }
    document["nodes"] = nodes;
    text += "`serving` says that a service answers, not that the machine is genuine: cstl verify does.\n";
  } else {
    text += "Next: cstl init\n";
  }
  result(context, text, document);
  return kExitOk;
}
}  // namespace

const Command kStatus = {"status", "Show what the workspace knows and which machines answer.", "", {}, {}, run};

}  // namespace cstl::cli
