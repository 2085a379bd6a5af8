// Base64 (RFC 4648, section 4), for public data only: not constant time. Decoding accepts the one canonical form: padded,
// no line breaks, no other characters, unused bits zero. So every byte string has one text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/bytes.h"

namespace cstl {

std::string to_base64(Bytes data);
// Errors: bad_value, too_long (more than `max` bytes).
Result<std::vector<uint8_t>> from_base64(std::string_view text, size_t max);

}  // namespace cstl
