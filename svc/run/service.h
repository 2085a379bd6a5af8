// What every service's main() does before its own work: a clean process, the command line, the form of its log, its
// exporter, the start of crypto.
#pragma once

#include <sys/types.h>

#include "svc/run/arguments.h"
#include "svc/run/exporter.h"

namespace cstl {

// Options that every service lists among its own; service_main() acts on them.
constexpr Option kMetricsOption = {"--metrics", "ADDRESS:PORT", "", "loopback endpoint of /metrics, /healthz, /readyz; '' for none"};
constexpr Option kLogOption = {"--log", "FORM", "logfmt", "lines on standard error: logfmt or json"};

// What the service counts, and who tells it.
struct Monitor {
  Metrics metrics;                       // with what declare_process() declares
  std::unique_ptr<Exporter> exporter;    // nullptr: nobody is told

  // Once the service serves. A lost exporter is logged (exporter.ended).
  void serve(Loop& loop, std::function<const char*()> not_ready = {});
  // For service.ready: "127.0.0.1:9190", or "".
  std::string endpoint() const { return exporter != nullptr ? exporter->endpoint() : ""; }
};

struct ServiceProgram {
  const char* name;                            // "cstl-joinservice", a literal
  const char* what;                            // one sentence for --help
  std::initializer_list<Option> options;       // kMetricsOption and kLogOption among them
  Status (*serve)(const Arguments& arguments, Monitor& monitor);  // opens, locks down, loops; returns only what ended it
  uid_t uid = 0;                               // may also be started as this user: as in a pod
};

// A program that is started neither as root nor as its own user is refused (denied): it could not confine itself. Inherited descriptors but 0–2
// are closed (those are opened on /dev/null where missing), new files are the owner's alone, SIGPIPE is ignored, dumps
// are forbidden. The exporter is forked before crypto starts. Logs what goes wrong. Exit status: 0 for --help, 2 for a
// command line that is not understood, 1 otherwise.
int service_main(int argc, char** argv, const ServiceProgram& program);

}  // namespace cstl
