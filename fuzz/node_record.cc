// The joinservice's record of a node: what parses, re-encodes to itself.
#include <cstdlib>

#include "svc/joinservice/nodes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  auto record = NodeRecord::parse(Bytes(data, size).text());
  if (!record.ok()) return 0;
  std::string text = record->to_json();
  auto again = NodeRecord::parse(text);
  if (!again.ok() || again->to_json() != text) std::abort();
  return 0;
}
