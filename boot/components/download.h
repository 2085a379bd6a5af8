// Bytes of a URL into a file: https, file and data.
//
// https: TLS 1.3, the server's certificate and name verified against the given CAs; at most five redirects, to https
// only. What a file holds already is asked for no more (Range); a server that cannot do that gives everything again.
// Failures of the network and answers 408, 429 and 5xx are tried again with doubling pauses; other answers are final.
// Nothing else is read from the outside: no proxy variables, no netrc, no cookies.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "crypto/base/fd.h"

namespace cstl {

struct DownloadLimits {
  uint64_t bytes = uint64_t{2} << 30;  // of what the URL gives
  int tries = 6;                       // in a row without a new byte
  int retry_first_ms = 1000;           // pause after the first failure, doubling …
  int retry_most_ms = 30'000;          // … up to this
  int connect_ms = 15'000;
  int stall_s = 30;                    // less than a byte a second for so long is a failure
};

using DownloadProgress = std::function<void(uint64_t done, uint64_t total)>;  // total 0: not known

// Appends to the regular file `file` until it holds what `url` gives. `ca_pem` is for https. `problem` (may be null)
// says in words what failed. Errors: component_unreachable (origin http: the status; curl: the CURLcode),
// component_size, unsupported (another scheme), bad_value (a data: URL that is not one), no_space, io.
Status download(const std::string& url, int file, const std::vector<uint8_t>& ca_pem, const DownloadLimits& limits,
                const DownloadProgress& progress, std::string* problem);

// The content of a data: URL (RFC 2397), at most `max` bytes. Errors: bad_value, component_size.
Result<std::vector<uint8_t>> decode_data_url(std::string_view url, size_t max);

// All of it at the end of `file`. Full disks, quotas and file size limits are no_space.
Status append(int file, Bytes data);

}  // namespace cstl
