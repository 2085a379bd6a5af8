// A polite HTTPS client for vendors' collateral: GET of a small, signed, public document (libcurl, TLS 1.3). What comes
// back is as trustworthy as its own signature, which the caller checks; TLS only keeps the curious away. Blocks; one
// transfer at a time per call; no global state but libcurl's.
#pragma once

#include <string>
#include <vector>

#include "crypto/base/bytes.h"

namespace cstl {

struct HttpsPolicy {
  std::vector<uint8_t> ca_pem;      // certificates that may vouch for servers; ends with a NUL byte
  int connect_ms = 10000;
  int total_ms = 30000;             // of one attempt
  int tries = 4;
  int retry_first_ms = 2000;        // doubles; a server's Retry-After counts instead, both up to
  int retry_most_ms = 60000;
};

struct HttpsAnswer {
  std::vector<uint8_t> body;
  std::string headers;              // of the last response: lines "name: value\r\n", at most 64 KiB
  // The header's value without space around it; empty if there is none. `name` in lower case.
  std::string header(std::string_view name) const;
};

// `url` must be https; up to three redirections, to https. Tried again: no answer, and the statuses 408, 429 and 5xx.
// `problem` (may be null) gets words. Errors: collateral_unreachable (with libcurl's number or the HTTP status),
// too_long (the body is over `max`), no_memory.
Result<HttpsAnswer> https_get(const std::string& url, size_t max, const HttpsPolicy& policy, std::string* problem);

}  // namespace cstl
