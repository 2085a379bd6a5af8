// A cursor over DER (X.690, 10), for the structures that mbedTLS does not open: extensions, CRLs, certificate requests.
//
// Total: any input gives a value or an Error. Borrows, never allocates, never recurses. Only definite lengths in their
// shortest form, below 16 MiB; only tag numbers below 31. Every refusal carries the code that the reader was made with, and
// the site of the call.
#pragma once

#include "crypto/base/bytes.h"

namespace cstl {

namespace der {
constexpr uint8_t kBoolean = 0x01, kInteger = 0x02, kBitString = 0x03, kOctetString = 0x04, kNull = 0x05, kOid = 0x06;
constexpr uint8_t kEnumerated = 0x0a, kUtf8 = 0x0c, kPrintable = 0x13, kUtcTime = 0x17, kGeneralizedTime = 0x18;
constexpr uint8_t kSequence = 0x30, kSet = 0x31;
constexpr uint8_t context(uint8_t number) { return static_cast<uint8_t>(0x80 | number); }              // primitive
constexpr uint8_t constructed_context(uint8_t number) { return static_cast<uint8_t>(0xa0 | number); }
}  // namespace der

class DerReader {
 public:
  DerReader(Bytes data, Code refusal) : data_(data), refusal_(refusal) {}

  Code refusal() const { return refusal_; }
  bool empty() const { return data_.empty(); }
  bool next_is(uint8_t tag) const { return !data_.empty() && data_[0] == tag; }
  Bytes rest() const { return data_; }

  // The content of the next element, which must have `tag`. `whole` gets the element with its header.
  Result<Bytes> take(uint8_t tag, const char* site, Bytes* whole = nullptr);
  // The content of the next element, whatever it is.
  Result<Bytes> take_any(const char* site, uint8_t* tag = nullptr, Bytes* whole = nullptr);
  // A reader of the content of the next element, which must have `tag`.
  Result<DerReader> enter(uint8_t tag, const char* site, Bytes* whole = nullptr);
  // INTEGER, not negative, in its shortest form: big endian without the sign byte, one zero byte for zero, at most
  // `max` bytes.
  Result<Bytes> take_unsigned(size_t max, const char* site);
  // INTEGER, 0 to 2^32 - 1.
  Result<uint32_t> take_u32(const char* site);
  // BOOLEAN: only 0x00 and 0xff (X.690, 11.1).
  Result<bool> take_boolean(const char* site);
  // BIT STRING of whole bytes.
  Result<Bytes> take_bits(const char* site);
  // Time of RFC 5280 (4.1.2.5), UTCTime or GeneralizedTime, in UTC with seconds; Unix seconds, not before 1970.
  Result<int64_t> take_time(const char* site);
  // Refuses if anything is left.
  Status finish(const char* site) const;

 private:
  Bytes data_;
  Code refusal_;
};

}  // namespace cstl
