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
  TRY(forbid_dumps());
  return crypto_start();
}
}  // namespace

int service_main(int argc, char** argv, const ServiceProgram& program) {
  log_as(program.name);
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
  Status status = begin(program.uid);
  if (status.ok()) status = program.serve(*arguments);
  log_error("service.failed", status.error());
  return status.code() == Code::usage ? 2 : 1;
}

}  // namespace cstl
