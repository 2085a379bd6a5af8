#include "crypto/base/secret_base64.h"

namespace cstl {

namespace {
// For v in 0..63; a difference below zero has its top bit set.
uint8_t digit(uint32_t v) {
  uint32_t below26 = (v - 26) >> 31, below52 = (v - 52) >> 31, below62 = (v - 62) >> 31, below63 = (v - 63) >> 31;
  uint32_t out = below26 * ('A' + v);
  out += (below52 - below26) * ('a' + v - 26);
  out += (below62 - below52) * ('0' + v - 52);
  out += (below63 - below62) * '+';
  out += (1 - below63) * '/';
  return static_cast<uint8_t>(out);
}
}  // namespace

void put_secret_base64(Writer& writer, Bytes data) {
  for (size_t i = 0; i < data.size(); i += 3) {
    const size_t left = data.size() - i;
    uint32_t bits = static_cast<uint32_t>(data[i]) << 16;
    if (left > 1) bits |= static_cast<uint32_t>(data[i + 1]) << 8;
    if (left > 2) bits |= data[i + 2];
    writer.u8(digit(bits >> 18));
    writer.u8(digit(bits >> 12 & 63));
    writer.u8(left > 1 ? digit(bits >> 6 & 63) : static_cast<uint8_t>('='));
    writer.u8(left > 2 ? digit(bits & 63) : static_cast<uint8_t>('='));
  }
}

SecretBuffer secret_base64(Bytes data) {
  SecretBuffer out(base64_size(data.size()));
  Writer writer(out.space());
  put_secret_base64(writer, data);
  return out;
}

}  // namespace cstl
