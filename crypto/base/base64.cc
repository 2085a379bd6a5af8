#include "crypto/base/base64.h"

namespace cstl {

namespace {
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}  // namespace

std::string to_base64(Bytes data) {
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (size_t i = 0; i < data.size(); i += 3) {
    size_t left = data.size() - i;
    uint32_t group = static_cast<uint32_t>(data[i]) << 16;
    if (left > 1) group |= static_cast<uint32_t>(data[i + 1]) << 8;
    if (left > 2) group |= data[i + 2];
    out += kAlphabet[group >> 18 & 63];
    out += kAlphabet[group >> 12 & 63];
    out += left > 1 ? kAlphabet[group >> 6 & 63] : '=';
    out += left > 2 ? kAlphabet[group & 63] : '=';
  }
  return out;
}

Result<std::vector<uint8_t>> from_base64(std::string_view text, size_t max) {
  if (text.size() % 4 != 0) return fail(Code::bad_value, "base64.length");
  if (text.size() / 4 > (max + 2) / 3) return fail(Code::too_long, "base64.size");
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::vector<uint8_t> out;
  out.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t group = 0;
    for (size_t j = i; j < i + 4; ++j) {
      size_t value = j >= text.size() - padding ? 0 : kAlphabet.find(text[j]);
      if (value == std::string_view::npos) return fail(Code::bad_value, "base64.character");
      group = group << 6 | static_cast<uint32_t>(value);
    }
    size_t unused = i + 4 == text.size() ? padding : 0;
    if ((unused == 1 && (group & 0xff) != 0) || (unused == 2 && (group & 0xffff) != 0)) {
      return fail(Code::bad_value, "base64.unused_bits");
    }
    out.push_back(static_cast<uint8_t>(group >> 16));
    if (unused < 2) out.push_back(static_cast<uint8_t>(group >> 8));
    if (unused < 1) out.push_back(static_cast<uint8_t>(group));
  }
  if (out.size() > max) return fail(Code::too_long, "base64.size");
  return out;
}

}  // namespace cstl
