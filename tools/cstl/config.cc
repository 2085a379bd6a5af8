#include <unistd.h>

#include "crypto/base/fd.h"
#include "svc/wire/join.h"
#include "tools/cstl/command.h"
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

const Command kConfigGenerate = {"config generate",
                                 "Write a commented cstl-conf.yaml into the workspace.",
                                 "  --name NAME    of the cluster (default: demo)\n"
                                 "  --kubernetes   with Kubernetes, and machines that are large enough for it\n"
                                 "  --force        replace an existing file\n",
                                 {"force", "kubernetes"},
                                 {"name"},
                                 generate};

}  // namespace cstl::cli
