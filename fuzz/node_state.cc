#include <cstdlib>

#include "boot/state/node_state.h"

// Node state: what is accepted writes itself in one form, and that form reads back to itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string problem;
  auto state = cstl::NodeState::parse(cstl::Bytes(data, size).text(), &problem);
  if (!state) {
    if (problem.empty() || state.code() != cstl::Code::node_state) abort();
    return 0;
  }
  std::string text = state->to_json();
  auto again = cstl::NodeState::parse(text, &problem);
  if (!again || again->to_json() != text) abort();
  return 0;
}
