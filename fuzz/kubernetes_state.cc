#include <cstdlib>

#include "boot/kubernetes/node.h"
#include "boot/kubernetes/state.h"

// How far Kubernetes was set up (accepted text writes itself in one form, which reads back), and the kubelet's flags.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl::kubernetes;
  const std::string_view text = cstl::Bytes(data, size).text();
  if (auto flags = parse_kubelet_flags(text)) {
    for (const std::string& flag : *flags) {
      if (flag.empty() || flag.find_first_of(" \"\n$") != std::string::npos) abort();
    }
  }
  std::string problem;
  auto state = SetupState::parse(text, &problem);
  if (!state) {
    if (problem.empty() || state.code() != cstl::Code::kubernetes_state) abort();
    return 0;
  }
  std::string once = state->to_json();
  if (once.size() > kMaxState) return 0;
  auto again = SetupState::parse(once, &problem);
  if (!again || again->to_json() != once) abort();
  return 0;
}
