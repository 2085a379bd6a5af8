#include "boot/bootstrapper/settings.h"

#include "svc/run/platform_options.h"

namespace cstl {

const std::initializer_list<Option> kBootstrapperOptions = {
    {"--disk", "UUID", nullptr, "of the state disk's LUKS2 header"},
    {"--state", "FOLDER", "/run/cstl/state", "where the state disk is mounted"},
    {"--run", "FOLDER", "/run/cstl", "in memory: the keyservice's socket, the node lock's marker"},
    {"--monitor-fd", "N", "none", "socket to cstl-init"},
    {"--metadata", "FILE", "/sys/firmware/qemu_fw_cfg/by_name/opt/cstl/metadata/raw", "instance metadata"},
    {"--baked-reference-values", "FILE", "/etc/cstl/reference-values.json", "what joinservices must be, if it exists"},
    {"--init-listen", "ADDRESS:PORT", "0.0.0.0:9000", "endpoint of the init server"},
    {"--join-listen", "ADDRESS:PORT", "0.0.0.0:9090", "endpoint of the joinservice"},
    {"--verify-listen", "ADDRESS:PORT", "0.0.0.0:9091", "endpoint of the verificationservice"},
    {"--metrics", "ADDRESS", "127.0.0.1", "loopback address of the services' metrics, on their ports; '' for none"},
    {"--programs", "FOLDER", "/usr/bin", "where the services' programs are"},
    kTpmOption,  // these also for the attester
    kEventLogOption,
    kCcelOption,
    kConfigfsOption,
    kSevGuestOption,
    kRtmr3Option,
    kMetadataServiceOption,
    kCollateralOption,
    {"--reboot-delay-ms", "N", "10000", "between a failure and the reboot"},
};

Result<Settings> Settings::from(const Arguments& arguments, std::string* problem) {
  Settings out;
  *problem = "--disk";
  auto disk = parse_uuid(arguments.get("--disk"));
  if (!disk) return fail(Code::usage, "settings.disk");
  out.disk = *disk;
  out.places.state = arguments.get("--state");
  out.places.run = arguments.get("--run");
  if (arguments.get("--monitor-fd") != "none") {
    *problem = "--monitor-fd";
    TRY_LET(size_t fd, arguments.number("--monitor-fd", 3, 1023));
    out.monitor_fd = static_cast<int>(fd);
  }
  *problem = "--reboot-delay-ms";
  TRY_LET(size_t delay, arguments.number("--reboot-delay-ms", 0, 600000));
  out.reboot_delay_ms = static_cast<int>(delay);
  out.metadata = arguments.get("--metadata");
  out.baked = arguments.get("--baked-reference-values");
  struct Listen { const char* name; std::string* endpoint; };
  for (const Listen& l : {Listen{"--init-listen", &out.init_listen}, Listen{"--join-listen", &out.services.join_listen},
                          Listen{"--verify-listen", &out.services.verify_listen}}) {
    *problem = l.name;
    if (!parse_endpoint(arguments.get(l.name))) return fail(Code::usage, "settings.listen");
    *l.endpoint = arguments.get(l.name);
  }
  out.services.metrics = arguments.get("--metrics");
  out.services.programs = arguments.get("--programs");
  out.services.platform = platform_paths(arguments);
  out.services.platform.cluster_register = out.places.run + "/cluster-register";
  return out;
}

}  // namespace cstl
