#include "boot/bootstrapper/services.h"

#include <sys/stat.h>

namespace cstl {

std::vector<Program> services_of(const NodeState& node, const Places& places, const ServiceSettings& settings) {
  std::vector<Program> out;
  std::string keys = places.run + "/keyservice.sock";
  std::vector<std::string> attesting = {"--tpm", settings.tpm, "--variant", variant_name(node.variant), "--event-log",
                                        settings.event_log};
  if (node.role == Role::control_plane) {
    out.push_back({"keyservice", {settings.programs + "/cstl-keyservice", "--master", places.master_secret(), "--socket", keys}});
    Program join{"joinservice", {settings.programs + "/cstl-joinservice", "--listen", settings.join_listen, "--store",
                                 places.joinservice_store(), "--keyservice", keys, "--salt",
                                 to_hex(node.measurement_salt)}};
    join.arguments.insert(join.arguments.end(), attesting.begin(), attesting.end());
    out.push_back(std::move(join));
  }
  Program verification{"verificationservice", {settings.programs + "/cstl-verificationservice", "--listen",
                                               settings.verify_listen, "--cluster-id", to_hex(node.cluster_id), "--role",
                                               role_name(node.role), "--name", node.name}};
  verification.arguments.insert(verification.arguments.end(), attesting.begin(), attesting.end());
  out.push_back(std::move(verification));
  return out;
}

Status prepare_socket_folder(const Places& places) {
  TRY(make_folders(places.run, 0755));
  if (chmod(places.run.c_str(), 0755) != 0) return fail_errno("services.folder");
  return success();
}

}  // namespace cstl
