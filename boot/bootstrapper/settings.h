// The command line of cstl-bootstrapper (svc/run/arguments.h); the defaults are those of a machine.
#pragma once

#include "boot/bootstrapper/services.h"
#include "svc/run/arguments.h"

namespace cstl {

extern const std::initializer_list<Option> kBootstrapperOptions;

struct Settings {
  Uuid disk{};                   // of the state disk's LUKS2 header
  Places places;
  int monitor_fd = -1;           // none: no disk can be re-keyed, so a fresh machine can enter no cluster
  std::string metadata;
  std::string baked;
  std::string init_listen;
  ServiceSettings services;
  int reboot_delay_ms = 0;       // between a failure and the reboot, so that people can read it

  // Errors: usage; `problem` names the option.
  static Result<Settings> from(const Arguments& arguments, std::string* problem);
};

}  // namespace cstl
