#include <cstdlib>

#include "svc/kubernetes/events.h"

// A watch's stream, in pieces whose size the first byte gives: the lines are the same as in one piece, and every line is
// an event or garbage; what is an event has what a watch lives from.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  using namespace cstl::kubernetes;
  if (size == 0) return 0;
  size_t piece = data[0] + 1u;
  Bytes stream = Bytes(data, size).skip(1);
  std::vector<std::string> lines, whole;
  LineSplitter one(512), many(512);
  bool good = one.feed(stream, whole).ok();
  for (Bytes rest = stream; !rest.empty(); rest = rest.skip(piece)) {
    if (many.feed(rest.first(piece), lines).ok()) continue;
    if (good) abort();
    return 0;
  }
  if (!good || lines != whole) abort();
  for (const std::string& line : lines) {
    auto event = parse_event(line, 512, 16);
    if (!event) {
      if (event.code() != Code::api_garbage) abort();
    } else if (event->kind <= EventKind::deleted && event->key.name.empty()) {
      abort();
    }
    if (auto list = parse_json(line, 512); list.ok()) {
      auto page = read_page(*list);
      if (page.ok() && (page->version.empty() || !page->items->is_array())) abort();
      if (status_message(*list).size() > 300) abort();
    }
  }
  return 0;
}
