// Makes DER for tests: the certificates, lists and extensions that vendors' authorities would sign. Parsing is what is
// tested; making is only as general as the tests need.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "crypto/base/utc.h"
#include "crypto/der.h"

namespace cstl::test::make {

using Der = std::vector<uint8_t>;

inline Der join(std::initializer_list<Der> parts) {
  Der out;
  for (const Der& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

inline Der tlv(uint8_t tag, const Der& content) {
  Der out{tag};
  size_t n = content.size();
  if (n < 0x80) {
    out.push_back(static_cast<uint8_t>(n));
  } else if (n < 0x100) {
    out.insert(out.end(), {0x81, static_cast<uint8_t>(n)});
  } else {
    out.insert(out.end(), {0x82, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)});
  }
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

inline Der sequence(std::initializer_list<Der> parts) { return tlv(der::kSequence, join(parts)); }
inline Der oid(Bytes content) { return tlv(der::kOid, content.copy()); }
inline Der octets(Bytes content) { return tlv(der::kOctetString, content.copy()); }

// Big endian, not negative.
inline Der integer(Bytes magnitude) {
  Der out = magnitude.copy();
  while (out.size() > 1 && out[0] == 0) out.erase(out.begin());
  if (out.empty() || out[0] >= 0x80) out.insert(out.begin(), 0);
  return tlv(der::kInteger, out);
}

inline Der integer(uint32_t value) {
  const std::array<uint8_t, 4> big{static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
                                   static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
  return integer(Bytes(big));
}

inline Der bits(const Der& whole_bytes) { return tlv(der::kBitString, join({Der{0}, whole_bytes})); }

// UTCTime, 1970 to 2049.
inline Der time(int64_t seconds) {
  std::string digits;
  for (char c : utc_text(seconds)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  std::string text = digits.substr(2) + "Z";
  return tlv(der::kUtcTime, Der(text.begin(), text.end()));
}

// A Name of one attribute: the common name.
inline Der name(std::string_view common_name) {
  constexpr std::array<uint8_t, 3> kCommonName{0x55, 0x04, 0x03};
  return sequence(
      {tlv(der::kSet, sequence({oid(kCommonName), tlv(der::kUtf8, Der(common_name.begin(), common_name.end()))}))});
}

// Extension; `value` is what its OCTET STRING holds.
inline Der extension(Bytes id, bool critical, const Der& value) {
  return sequence({oid(id), critical ? tlv(der::kBoolean, Der{0xff}) : Der{}, octets(value)});
}

}  // namespace cstl::test::make
