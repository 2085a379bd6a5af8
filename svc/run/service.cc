#include "svc/run/service.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "crypto/base/log.h"
#include "crypto/base/secret.h"
#include "crypto/hash.h"

namespace cstl {

namespace {
Status begin(uid_t uid) {
  if (geteuid() != 0 && (uid == 0 || geteuid() != uid)) return fail(Code::denied, "service.not_root", Origin::errno_value, EPERM);
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return fail_errno("service.dev_null");
  }
  if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0) return fail_errno("service.close_range");
  umask(077);
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) return fail_errno("service.sigpipe");
  return forbid_dumps();
}

// Before the command line is parsed: what is wrong with it is told in that form, too.
bool wants_json(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) == "--log" && std::string_view(argv[i + 1]) == "json") return true;
  }
  return false;
}

Status run(const Arguments& arguments, const ServiceProgram& program, Monitor& monitor) {
  const std::string& form = arguments.get("--log");
  if (form != "logfmt" && form != "json") return fail(Code::usage, "arguments.log");
  TRY(begin(program.uid));
  if (const std::string& endpoint = arguments.get("--metrics"); !endpoint.empty()) {
    TRY_LET(monitor.exporter, Exporter::start(endpoint));
  }
  TRY(crypto_start());
  declare_process(monitor.metrics, program.name, CSTL_VERSION);
  return program.serve(arguments, monitor);
}
}  // namespace

void Monitor::serve(Loop& loop, std::function<const char*()> not_ready) {
  if (exporter == nullptr) return;
  exporter->serve(metrics, {std::move(not_ready), [](const Error& error) { log_error("exporter.ended", error); }});
  loop.add(*exporter);
}


int service_main(int argc, char** argv, const ServiceProgram& program) {
  log_as(program.name, wants_json(argc, argv) ? LogForm::json : LogForm::logfmt);
  std::string problem;
  auto arguments = Arguments::parse(argc, argv, program.options, &problem);
  if (!arguments.ok()) {
    log_error("service.usage", arguments.error(), {{"argument", problem}});
    return 2;
  }
  if (arguments->help()) {
    std::fputs(help_text(program.name, program.what, program.options).c_str(), stdout);
    return 0;
  }
  Monitor monitor;
  Status status = run(*arguments, program, monitor);
  log_error("service.failed", status.error());
  return status.code() == Code::usage ? 2 : 1;
}

}  // namespace cstl
