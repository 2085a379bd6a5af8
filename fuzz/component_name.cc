#include <cstdlib>

#include "boot/components/download.h"
#include "boot/components/unpack.h"

// Names and link targets of an archive, and data: URLs. First line: a name; second: a target; the whole: a URL. A good
// name has no part that could climb, and is its own name; a good target never climbs higher than its link lies deep.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  std::string_view text = Bytes(data, size).text();
  size_t end = text.find('\n');
  std::string_view target = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  auto name = entry_name(text.substr(0, end));
  if (name) {
    if (!name->empty() && ((*name)[0] == '/' || entry_name(*name).code() != Code::ok || *entry_name(*name) != *name))
      abort();
    std::string parts = "/" + *name + "/";
    if (parts.find("/../") != std::string::npos || parts.find("/./") != std::string::npos) abort();
    if (!name->empty() && check_link(*name, target).ok()) {
      int depth = 0;
      for (char c : *name) depth += c == '/' ? 1 : 0;
      for (size_t at = target.find(".."); at != std::string_view::npos; at = target.find("..", at + 1)) {
        bool whole = (at == 0 || target[at - 1] == '/') && (at + 2 == target.size() || target[at + 2] == '/');
        if (whole && --depth < 0) abort();
      }
      if (target.empty() || target[0] == '/') abort();
    }
  }
  auto content = decode_data_url(text, 64);
  if (content && content->size() > 64) abort();
  return 0;
}
