#include "attest/platform/base64url.h"

#include "crypto/base/base64.h"

namespace cstl {

Result<std::vector<uint8_t>> from_base64url(std::string_view text, size_t max) {
  if (text.size() > 4 * (max / 3 + 1)) return fail(Code::too_long, "base64url.size");
  std::string standard(text);
  for (char& c : standard) {
    if (c == '+' || c == '/') return fail(Code::bad_value, "base64url.character");
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  if (standard.find('=') == std::string::npos) standard.append((4 - standard.size() % 4) % 4, '=');
  return from_base64(standard, max);
}

std::string to_base64url(Bytes data) {
  std::string out = to_base64(data);
  while (!out.empty() && out.back() == '=') out.pop_back();
  for (char& c : out) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  return out;
}

}  // namespace cstl
