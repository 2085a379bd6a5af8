#include "attest/aws/cbor.h"

namespace cstl::aws {

Result<uint64_t> CborReader::head(uint8_t major, const char* site) {
  auto first = r_.u8();
  if (!first.ok() || *first >> 5 != major) return fail(refusal_, site);
  const uint8_t small = *first & 0x1f;
  if (small < 24) return uint64_t{small};
  uint64_t value = 0;
  uint64_t least = 24;  // below it a shorter form exists
  Error truncated = fail(refusal_, site);
  if (small == 24) {
    auto v = r_.u8();
    if (!v.ok()) return truncated;
    value = *v;
  } else if (small == 25) {
    auto v = r_.u16();
    if (!v.ok()) return truncated;
    value = *v;
    least = uint64_t{1} << 8;
  } else if (small == 26) {
    auto v = r_.u32();
    if (!v.ok()) return truncated;
    value = *v;
    least = uint64_t{1} << 16;
  } else if (small == 27) {
    auto v = r_.u64();
    if (!v.ok()) return truncated;
    value = *v;
    least = uint64_t{1} << 32;
  } else {
    return fail(refusal_, site);  // reserved, or of indefinite length
  }
  if (value < least) return fail(refusal_, site);
  return value;
}

Result<Bytes> CborReader::string(uint8_t major, size_t max, const char* site) {
  TRY_LET(uint64_t size, head(major, site));
  if (size > max || size > r_.remaining()) return fail(refusal_, site);
  return r_.bytes(static_cast<size_t>(size));
}

Result<std::string_view> CborReader::take_text(size_t max, const char* site) {
  TRY_LET(Bytes text, string(3, max, site));
  return text.text();
}

Status CborReader::skip_tag(uint64_t tag, const char* site) {
  if (!next_is(6)) return success();
  TRY_LET(uint64_t found, head(6, site));
  if (found != tag) return fail(refusal_, site);
  return success();
}

bool CborReader::take_null() {
  constexpr uint8_t kNull = 0xf6;
  if (r_.remaining() == 0 || r_.rest()[0] != kNull) return false;
  return r_.u8().ok();
}

Status CborReader::finish(const char* site) const {
  if (r_.remaining() != 0) return fail(refusal_, site);
  return success();
}

}  // namespace cstl::aws
