#include "boot/bootstrapper/settings.h"

namespace cstl {
namespace {

Result<int> parse_number(std::string_view text, int max) {
  if (text.empty() || text.size() > 7) return fail(Code::usage, "settings.number");
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return fail(Code::usage, "settings.number");
    value = value * 10 + (c - '0');
  }
  if (value > max) return fail(Code::usage, "settings.number");
  return value;
}

}  // namespace

Result<Settings> Settings::parse(int argc, char** argv, std::string* problem) {
  Settings out;
  out.services.event_log = "/sys/kernel/security/tpm0/binary_bios_measurements";
  out.services.join_listen = "0.0.0.0:9090";
  out.services.verify_listen = "0.0.0.0:9091";
  std::string disk, monitor_fd, delay;
  struct Option { std::string_view name; std::string* value; };
  const Option options[] = {{"--disk", &disk},
                            {"--state", &out.places.state},
                            {"--run", &out.places.run},
                            {"--monitor-fd", &monitor_fd},
                            {"--metadata", &out.metadata},
                            {"--baked-reference-values", &out.baked},
                            {"--init-listen", &out.init_listen},
                            {"--programs", &out.services.programs},
                            {"--tpm", &out.services.tpm},
                            {"--event-log", &out.services.event_log},
                            {"--join-listen", &out.services.join_listen},
                            {"--verify-listen", &out.services.verify_listen},
                            {"--reboot-delay-ms", &delay}};
  auto wrong = [problem](std::string_view name) {
    *problem = std::string(name);
    return fail(Code::usage, "settings.option");
  };
  for (int i = 1; i < argc; i += 2) {
    std::string* target = nullptr;
    for (const Option& option : options) {
      if (option.name == argv[i]) target = option.value;
    }
    if (!target || i + 1 >= argc) return wrong(argv[i]);
    *target = argv[i + 1];
  }
  auto uuid = parse_uuid(disk);
  if (!uuid) return wrong("--disk");
  out.disk = *uuid;
  if (!monitor_fd.empty()) {
    auto number = parse_number(monitor_fd, 1023);
    if (!number || *number < 3) return wrong("--monitor-fd");
    out.monitor_fd = *number;
  }
  if (!delay.empty()) {
    auto number = parse_number(delay, 600000);
    if (!number) return wrong("--reboot-delay-ms");
    out.reboot_delay_ms = *number;
  }
  if (!parse_endpoint(out.init_listen)) return wrong("--init-listen");
  return out;
}

}  // namespace cstl
