#include "crypto/der.h"

#include "crypto/base/utc.h"

namespace cstl {

namespace {
constexpr size_t kMaxLengthBytes = 3;
}  // namespace

Result<Bytes> DerReader::take_any(const char* site, uint8_t* tag, Bytes* whole) {
  if (data_.size() < 2 || (data_[0] & 0x1f) == 0x1f) return fail(refusal_, site);
  size_t header = 2;
  size_t size = data_[1];
  if (size >= 0x80) {
    size_t digits = size - 0x80;
    if (digits == 0 || digits > kMaxLengthBytes || data_.size() - header < digits) return fail(refusal_, site);
    size = 0;
    for (size_t i = 0; i < digits; ++i) size = size << 8 | data_[header + i];
    if (size < (digits == 1 ? 0x80u : size_t{1} << 8 * (digits - 1))) return fail(refusal_, site);
    header += digits;
  }
  if (size > data_.size() - header) return fail(refusal_, site);
  if (tag != nullptr) *tag = data_[0];
  if (whole != nullptr) *whole = data_.first(header + size);
  Bytes content = data_.skip(header).first(size);
  data_ = data_.skip(header + size);
  return content;
}

Result<Bytes> DerReader::take(uint8_t tag, const char* site, Bytes* whole) {
  if (!next_is(tag)) return fail(refusal_, site);
  return take_any(site, nullptr, whole);
}

Result<DerReader> DerReader::enter(uint8_t tag, const char* site, Bytes* whole) {
  TRY_LET(Bytes content, take(tag, site, whole));
  return DerReader(content, refusal_);
}

Result<Bytes> DerReader::take_unsigned(size_t max, const char* site) {
  TRY_LET(Bytes number, take(der::kInteger, site));
  if (number.empty() || (number[0] & 0x80) != 0) return fail(refusal_, site);
  if (number[0] == 0 && number.size() > 1) {
    if ((number[1] & 0x80) == 0) return fail(refusal_, site);
    number = number.skip(1);
  }
  if (number.size() > max) return fail(refusal_, site);
  return number;
}

Result<uint32_t> DerReader::take_u32(const char* site) {
  TRY_LET(Bytes number, take_unsigned(sizeof(uint32_t), site));
  uint32_t value = 0;
  for (uint8_t byte : number) value = value << 8 | byte;
  return value;
}

Result<bool> DerReader::take_boolean(const char* site) {
  TRY_LET(Bytes content, take(der::kBoolean, site));
  if (content.size() != 1 || (content[0] != 0 && content[0] != 0xff)) return fail(refusal_, site);
  return content[0] != 0;
}

Result<Bytes> DerReader::take_bits(const char* site) {
  TRY_LET(Bytes content, take(der::kBitString, site));
  if (content.empty() || content[0] != 0) return fail(refusal_, site);
  return content.skip(1);
}

Result<int64_t> DerReader::take_time(const char* site) {
  uint8_t tag = 0;
  TRY_LET(Bytes text, take_any(site, &tag));
  bool utc = tag == der::kUtcTime;
  if (text.size() != (utc ? 13 : 15) || (!utc && tag != der::kGeneralizedTime)) return fail(refusal_, site);
  // To RFC 3339, whose parser checks every digit. UTCTime's years are 1950 to 2049.
  std::array<char, 20> date{'1', '9', '0', '0', '-', '0', '0', '-', '0', '0', 'T', '0', '0', ':', '0', '0', ':', '0', '0', 'Z'};
  constexpr size_t kPlaces[] = {0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 19};
  if (utc && text[0] < '5') date[0] = '2', date[1] = '0';
  for (size_t i = 0; i < text.size(); ++i) date[kPlaces[utc ? i + 2 : i]] = static_cast<char>(text[i]);
  Result<int64_t> seconds = parse_utc({date.data(), date.size()});
  if (!seconds.ok()) return fail(refusal_, site);
  return *seconds;
}

Status DerReader::finish(const char* site) const {
  if (!data_.empty()) return fail(refusal_, site);
  return success();
}

}  // namespace cstl
