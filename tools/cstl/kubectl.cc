#include "tools/cstl/kubectl.h"

#include <map>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/json.h"
#include "tools/cstl/kubeconfig.h"
#include "tools/cstl/machine.h"
#include "tools/cstl/process.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr size_t kMaxAnswer = 8 * 1024 * 1024;
constexpr int kMaxDepth = 32;
constexpr int kAskMs = 60000;
constexpr int kPauseMs = 2000;

std::string text_of(const json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string()
             ? printable(object[name].get_ref<const std::string&>())
             : "";
}

const json& member(const json& object, const char* name) {
  static const json kNothing;
  return object.is_object() && object.contains(name) ? object[name] : kNothing;
}

Result<std::string> run_kubectl(const Context& context, const Config& config, const char* format,
                                std::string* problem) {
  std::string workspace = absolute_workspace(context.workspace);
  std::string folder = mini_folder(workspace);
  std::string log = folder + "/kubectl.log";
  std::string program = config.kubectl.find('/') == std::string::npos ? config.kubectl
                                                                      : in_workspace(workspace, config.kubectl);
  auto out = read_program({program, "--kubeconfig", kubeconfig_path(workspace), "--cache-dir", folder + "/kubectl-cache",
                           "--request-timeout=30s", "get", "nodes", "-o", format},
                          folder, log, kAskMs, kMaxAnswer);
  if (!out.ok()) {
    auto words = read_file(log.c_str(), 1u << 20);
    *problem = program + ": " + (words.ok() ? printable(Bytes(*words).text()) : "");
    return fail(Code::kubectl_failed, "kubectl.run", out.error().origin, out.error().foreign);
  }
  return out;
}
}  // namespace

Result<std::vector<NodeView>> parse_nodes(std::string_view text) {
  TRY_LET(json document, parse_json(text, kMaxAnswer, kMaxDepth));
  const json& items = member(document, "items");
  if (!items.is_array()) return fail(Code::bad_json, "kubectl.items");
  std::vector<NodeView> out;
  for (const json& item : items) {
    NodeView node;
    node.name = text_of(member(item, "metadata"), "name");
    node.why = "no condition yet";
    for (const json& condition : member(member(item, "status"), "conditions")) {
      if (text_of(condition, "type") != "Ready") continue;
      node.ready = text_of(condition, "status") == "True";
      node.why = text_of(condition, "reason") + ": " + text_of(condition, "message");
    }
    out.push_back(node);
  }
  return out;
}

Result<std::vector<NodeView>> read_nodes(const Context& context, const Config& config, std::string* problem) {
  TRY_LET(std::string text, run_kubectl(context, config, "json", problem));
  return parse_nodes(text);
}

Result<std::string> nodes_table(const Context& context, const Config& config, std::string* problem) {
  return run_kubectl(context, config, "wide", problem);
}

std::string nodes_lacking(const std::vector<NodeView>& nodes, const std::vector<std::string>& names, NodeGoal goal) {
  std::string words;
  std::map<std::string, const NodeView*> seen;
  for (const NodeView& node : nodes) seen[node.name] = &node;
  for (const std::string& name : names) {
    if (seen.count(name) == 0) {
      words += name + " is not registered; ";
    } else if (goal == NodeGoal::ready && !seen[name]->ready) {
      words += name + " is not Ready (" + seen[name]->why + "); ";
    }
  }
  return words;
}

Status wait_for_nodes(const Context& context, const Config& config, const std::vector<std::string>& names, NodeGoal goal,
                      int64_t timeout_s, std::string* problem) {
  int64_t begin = monotonic_ms();
  std::string shown;
  for (;;) {
    std::string trouble;
    auto nodes = read_nodes(context, config, &trouble);
    std::string words;
    if (!nodes.ok()) {
      words = "the API does not answer: " + trouble;
    } else {
      words = nodes_lacking(*nodes, names, goal);
      if (words.empty()) return success();
    }
    int64_t waited = (monotonic_ms() - begin) / 1000;
    if (words != shown) progress(context, words + " (" + std::to_string(waited) + " s)");
    shown = words;
    *problem = words;
    if (waited >= timeout_s) return fail(Code::node_not_ready, "kubectl.wait");
    usleep(kPauseMs * 1000);
  }
}

}  // namespace cstl::cli
