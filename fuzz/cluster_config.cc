#include <cstdlib>

#include "boot/cluster/config.h"

// Cluster configuration: what is accepted writes itself in one form, and that form reads back to itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string problem;
  auto config = cstl::ClusterConfig::parse(cstl::Bytes(data, size).text(), &problem);
  if (!config) {
    if (problem.empty()) abort();
    return 0;
  }
  std::string text = config->to_json();
  if (text.size() > cstl::kMaxCluster) return 0;  // written with more spaces than it was read with
  auto again = cstl::ClusterConfig::parse(text, &problem);
  if (!again || again->to_json() != text) abort();
  return 0;
}
