#include "tools/cstl/command.h"

#include "attest/atls/frame.h"

namespace cstl::cli {

namespace {
int run(const Context& context) {
  result(context, "cstl " CSTL_VERSION ", protocol " + std::to_string(kProtocolVersion) + "\n",
         {{"version", CSTL_VERSION}, {"protocol", kProtocolVersion}});
  return kExitOk;
}
}  // namespace

const Command kVersion = {"version", "Print the version of this tool and of its protocol.", "", {}, {}, run};

}  // namespace cstl::cli
