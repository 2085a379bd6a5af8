// The body of one whole HTTP/1.1 answer (RFC 9112), after which the connection was closed. No I/O.
#pragma once

#include <vector>

#include "crypto/base/bytes.h"

namespace cstl {

// `answer`: all bytes that came. Understands Content-Length, chunks (without keeping their extensions and trailers) and
// a body that ends with the connection; refuses both at once, either twice, another encoding, a body that is shorter or
// longer than announced or over `max` bytes, lines over 4 KiB and more than 64 fields. Errors: metadata_failed; with
// origin http and the status, if that is not 200.
Result<std::vector<uint8_t>> http_body(Bytes answer, size_t max);

}  // namespace cstl
