// The command line of cstl-bootstrapper. Every option takes a value; the defaults are those of a machine.
#pragma once

#include "boot/bootstrapper/services.h"
#include "boot/join/client.h"

namespace cstl {

struct Settings {
  Uuid disk{};                                     // --disk UUID: of the state disk's LUKS2 header; mandatory
  Places places;                                   // --state FOLDER, --run FOLDER
  int monitor_fd = -1;                             // --monitor-fd N: socket to cstl-init; none: no disk is re-keyed
  std::string metadata = kFwCfgMetadata;           // --metadata FILE
  std::string baked = kBakedReferenceValues;       // --baked-reference-values FILE
  std::string init_listen = "0.0.0.0:9000";        // --init-listen ADDRESS:PORT
  ServiceSettings services;                        // --programs, --tpm, --event-log, --join-listen, --verify-listen
  int reboot_delay_ms = 10000;                     // --reboot-delay-ms N: between a failure and the reboot, to be read

  // Errors: usage; `problem` names the option.
  static Result<Settings> parse(int argc, char** argv, std::string* problem);
};

}  // namespace cstl
