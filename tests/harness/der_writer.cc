#include "tests/harness/der_writer.h"

#include <ctime>

#include "crypto/base/utc.h"
#include "crypto/der.h"

namespace cstl::test {

Der der_element(uint8_t tag, std::initializer_list<Bytes> parts) {
  Der content;
  for (Bytes part : parts) content.insert(content.end(), part.begin(), part.end());
  Der out{tag};
  size_t size = content.size();
  if (size < 0x80) {
    out.push_back(static_cast<uint8_t>(size));
  } else {
    size_t digits = size > 0xffff ? 3 : size > 0xff ? 2 : 1;
    out.push_back(static_cast<uint8_t>(0x80 + digits));
    for (size_t i = digits; i-- > 0;) out.push_back(static_cast<uint8_t>(size >> 8 * i));
  }
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

Der der_integer(uint64_t value) {
  Der bytes;
  for (int i = 7; i >= 0; --i) {
    auto byte = static_cast<uint8_t>(value >> 8 * i);
    if (byte != 0 || !bytes.empty() || i == 0) bytes.push_back(byte);
  }
  if (bytes[0] >= 0x80) bytes.insert(bytes.begin(), 0);
  return der_element(der::kInteger, {Bytes(bytes)});
}

Der der_oid(const std::string& dotted) {
  std::vector<uint32_t> parts;
  for (size_t at = 0; at <= dotted.size();) {
    size_t dot = dotted.find('.', at);
    if (dot == std::string::npos) dot = dotted.size();
    uint32_t part = 0;
    for (; at < dot; ++at) part = part * 10 + static_cast<uint32_t>(dotted[at] - '0');
    parts.push_back(part);
    at = dot + 1;
  }
  Der content{static_cast<uint8_t>(parts[0] * 40 + parts[1])};
  for (size_t i = 2; i < parts.size(); ++i) {
    int digits = parts[i] >= 1u << 21 ? 4 : parts[i] >= 1u << 14 ? 3 : parts[i] >= 1u << 7 ? 2 : 1;
    for (int d = digits - 1; d >= 0; --d)
      content.push_back(static_cast<uint8_t>((parts[i] >> 7 * d & 0x7f) | (d > 0 ? 0x80 : 0)));
  }
  return der_element(der::kOid, {Bytes(content)});
}

Der der_bits(Bytes bytes) {
  const uint8_t unused[] = {0};
  return der_element(der::kBitString, {Bytes(unused, 1), bytes});
}

Der der_time(int64_t seconds) {
  std::string text = utc_text(seconds);  // 2026-01-01T00:00:00Z
  std::string digits;
  for (char c : text) {
    if (c >= '0' && c <= '9') digits += c;
  }
  digits += 'Z';
  if (digits.compare(0, 4, "2050") < 0) return der_element(der::kUtcTime, {Bytes(digits.substr(2))});
  return der_element(der::kGeneralizedTime, {Bytes(digits)});
}

Der der_extension(const std::string& oid, bool critical, Bytes value) {
  const uint8_t yes[] = {der::kBoolean, 1, 0xff};
  return der_element(der::kSequence, {Bytes(der_oid(oid)), Bytes(yes, critical ? 3 : 0),
                                      Bytes(der_element(der::kOctetString, {value}))});
}

}  // namespace cstl::test
