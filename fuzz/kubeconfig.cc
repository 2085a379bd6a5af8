// The administrator's kubeconfig: what is accepted names the new server, once, and can be readdressed again.
#include <cstdlib>

#include "tools/cstl/kubeconfig.h"

using namespace cstl;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string server = "https://127.0.0.1:40123";
  auto changed = cli::readdress_kubeconfig(Bytes(data, size), server);
  if (!changed.ok()) return 0;
  if (changed->declassify().text().find("server: " + server) == std::string_view::npos) std::abort();
  auto again = cli::readdress_kubeconfig(changed->declassify(), server);
  if (!again.ok() || !equal(again->declassify(), changed->declassify())) std::abort();
  return 0;
}
