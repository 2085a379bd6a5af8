// What every service's main() does before its own work: a clean process, the command line, the start of crypto.
#pragma once

#include <sys/types.h>

#include "svc/run/arguments.h"

namespace cstl {

struct ServiceProgram {
  const char* name;                            // "cstl-joinservice", a literal
  const char* what;                            // one sentence for --help
  std::initializer_list<Option> options;
  Status (*serve)(const Arguments& arguments); // opens, locks down, loops; returns only what ended it
  uid_t uid = 0;                               // may also be started as this user: as in a pod
};

// A program that is started neither as root nor as its own user is refused (denied): it could not confine itself. Inherited descriptors but 0–2
// are closed (those are opened on /dev/null where missing), new files are the owner's alone, SIGPIPE is ignored, dumps
// are forbidden. Logs what goes wrong. Exit status: 0 for --help, 2 for a command line that is not understood, 1
// otherwise.
int service_main(int argc, char** argv, const ServiceProgram& program);

}  // namespace cstl
