// What kubectl says about nodes: whatever is accepted can be printed.
#include <cstdlib>

#include "tools/cstl/kubectl.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto nodes = cstl::cli::parse_nodes(cstl::Bytes(data, size).text());
  if (!nodes.ok()) return 0;
  for (const auto& node : *nodes) {
    for (char c : node.name + node.why) {
      if (c < ' ' || c > '~') std::abort();
    }
  }
  return 0;
}
