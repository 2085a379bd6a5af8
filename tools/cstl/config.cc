#include <unistd.h>

#include "crypto/base/fd.h"
#include "svc/wire/join.h"
#include "tools/cstl/command.h"
#include "tools/cstl/configuration.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
int generate(const Context& context) {
  std::string name = context.arguments.get("name", "demo");
  if (!valid_node_name(name)) {
    return failure(context, "config generate", fail(Code::usage, "config.name"), "--name takes a-z, 0-9 and dashes");
  }
  std::string path = config_path(context.workspace);
  if (access(path.c_str(), F_OK) == 0 && !context.arguments.has("force")) {
    return failure(context, "config generate", fail(Code::exists, "config.exists"), path + ": --force replaces it");
  }
  Status made = make_folders(context.workspace, 0755);
  if (made.ok()) made = write_file_durably(path.c_str(), config_template(name, context.arguments.has("kubernetes")), 0644);
  if (!made.ok()) return failure(context, "config generate", made.error(), path);
  result(context, path + " written. Next: edit it, then cstl mini up, or cstl init for machines of your own.\n",
         {{"path", path}});
  return kExitOk;
}
}  // namespace

namespace {
int print_cilium(const Context& context) {
  std::string problem;
  auto config = load_config(context.workspace, &problem);
  if (!config.ok()) return failure(context, "config cilium", config.error(), problem);
  auto values = cilium_values(*config);
  if (!values.ok()) {
    return failure(context, "config cilium", values.error(), "kubernetes.network of the configuration is not cilium");
  }
  result(context, *values, {{"values", *values}});
  return kExitOk;
}
}  // namespace

const Command kConfigCilium = {"config cilium",
                               "Print the Helm values with which Cilium encrypts this cluster's pods.",
                               "  For charts from 1.19 on, of a cluster with kubernetes.network cilium:\n"
                               "  cstl config cilium >cilium.yaml\n"
                               "  helm install cilium cilium/cilium --version '>=1.19' -n kube-system -f cilium.yaml\n",
                               {},
                               {},
                               print_cilium};

const Command kConfigGenerate = {"config generate",
                                 "Write a commented cstl-conf.yaml into the workspace.",
                                 "  --name NAME    of the cluster (default: demo)\n"
                                 "  --kubernetes   with Kubernetes, and machines that are large enough for it\n"
                                 "  --force        replace an existing file\n",
                                 {"force", "kubernetes"},
                                 {"name"},
                                 generate};

}  // namespace cstl::cli
