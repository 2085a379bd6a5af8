// The part of CBOR (RFC 8949) that AWS's attestation documents use: unsigned and negative integers, byte and text strings,
// arrays, maps, one tag, null; definite lengths in their shortest form. Anything else is refused. Total, borrowing; a cursor
// over one item after the other, so nesting is the caller's.
#pragma once

#include "crypto/base/bytes.h"

namespace cstl::aws {

class CborReader {
 public:
  CborReader(Bytes data, Code refusal) : r_(data), refusal_(refusal) {}

  Result<uint64_t> take_unsigned(const char* site) { return head(0, site); }
  // -1 - n, as COSE's algorithm numbers are; gives n.
  Result<uint64_t> take_negative(const char* site) { return head(1, site); }
  Result<Bytes> take_bytes(size_t max, const char* site) { return string(2, max, site); }
  Result<std::string_view> take_text(size_t max, const char* site);
  // How many items, or pairs of items, follow.
  Result<uint64_t> take_array(const char* site) { return head(4, site); }
  Result<uint64_t> take_map(const char* site) { return head(5, site); }
  // Skips `tag` if it is there.
  Status skip_tag(uint64_t tag, const char* site);
  // True, and past it, if a null is there.
  bool take_null();
  Status finish(const char* site) const;
  size_t remaining() const { return r_.remaining(); }

 private:
  Result<uint64_t> head(uint8_t major, const char* site);
  Result<Bytes> string(uint8_t major, size_t max, const char* site);
  bool next_is(uint8_t major) const { return r_.remaining() > 0 && r_.rest()[0] >> 5 == major; }
  Reader r_;
  Code refusal_;
};

}  // namespace cstl::aws
