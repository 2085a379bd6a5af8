// cstl-conf.yaml: whatever is accepted keeps its promises about names and bounds.
#include <cstdlib>

#include "svc/wire/join.h"
#include "tools/cstl/workspace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string problem;
  auto config = cstl::cli::parse_config(cstl::Bytes(data, size).text(), &problem);
  if (!config.ok()) return 0;
  if (!cstl::valid_node_name(config->name) || config->mini.workers < 0 || config->mini.workers > 32) std::abort();
  return 0;
}
