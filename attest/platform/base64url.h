// Base64url without padding (RFC 4648, 5), as JSON web keys and Azure's metadata have it.
#pragma once

#include <string>
#include <vector>

#include "crypto/base/bytes.h"

namespace cstl {

// Padding is accepted if it is right. Errors: bad_value, too_long (more than `max` bytes).
Result<std::vector<uint8_t>> from_base64url(std::string_view text, size_t max);
std::string to_base64url(Bytes data);

}  // namespace cstl
