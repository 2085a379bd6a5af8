// cstl-state.yaml.
#include <cstdlib>

#include "tools/cstl/workspace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string problem;
  auto state = cstl::cli::parse_state(cstl::Bytes(data, size).text(), &problem);
  if (state.ok() == !problem.empty()) std::abort();  // a refusal names its place, an acceptance has none
  return 0;
}
