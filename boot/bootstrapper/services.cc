#include "boot/bootstrapper/services.h"

#include <sys/stat.h>
#include <unistd.h>

#include "svc/run/lockdown.h"
#include "svc/run/platform_options.h"

namespace cstl {

namespace {
// docs/metrics.md, policy/prometheus/prometheus.yaml
const char* metrics_port(std::string_view program) {
  if (program == "joinservice") return "9190";
  if (program == "verificationservice") return "9191";
  return program == "keyservice" ? "9192" : "9194";
}
}  // namespace

std::vector<Program> services_of(const NodeState& node, const Places& places, const ServiceSettings& settings) {
  std::vector<Program> out;
  std::string keys = places.run + "/keyservice/keyservice.sock";
  std::string evidence = places.run + "/attester/attester.sock";
  Program attester{"attester", {settings.programs + "/cstl-attester", "--socket", evidence, "--variant",
                                variant_name(node.variant), "--cluster-register", settings.platform.cluster_register}};
  for (std::string& argument : platform_arguments(settings.platform)) attester.arguments.push_back(std::move(argument));
  out.push_back(std::move(attester));
  if (node.role == Role::control_plane) {
    out.push_back({"keyservice", {settings.programs + "/cstl-keyservice", "--master", places.master_secret(), "--socket", keys}});
    Program join{"joinservice", {settings.programs + "/cstl-joinservice", "--listen", settings.join_listen, "--store",
                                 places.joinservice_store(), "--keyservice", keys, "--attester", evidence, "--salt",
                                 to_hex(node.measurement_salt)}};
    out.push_back(std::move(join));
  }
  Program verification{"verificationservice", {settings.programs + "/cstl-verificationservice", "--listen",
                                               settings.verify_listen, "--cluster-id", to_hex(node.cluster_id), "--role",
                                               role_name(node.role), "--name", node.name, "--attester", evidence}};
  out.push_back(std::move(verification));
  if (settings.metrics.empty()) return out;
  for (Program& program : out) {
    program.arguments.insert(program.arguments.end(), {"--metrics", settings.metrics + ":" + metrics_port(program.name)});
  }
  return out;
}

Status prepare_socket_folders(const Places& places) {
  TRY(make_folders(places.run, 0755));
  if (chmod(places.run.c_str(), 0755) != 0) return fail_errno("services.folder");
  struct Folder { const char* name; uid_t owner; };
  for (const Folder& folder : {Folder{"/attester", 0}, Folder{"/keyservice", kKeyserviceUid}}) {
    std::string path = places.run + folder.name;
    TRY(make_folders(path, 0711));
    if (lchown(path.c_str(), folder.owner, folder.owner) != 0) return fail_errno("services.owner");
    if (chmod(path.c_str(), 0711) != 0) return fail_errno("services.folder");
  }
  return success();
}

}  // namespace cstl
