// The metadata service of a cloud's instance: HTTP at a literal link-local address, as Azure has it. What comes from
// there is the host's word: every use of it is verified by whoever gets the evidence.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crypto/base/bytes.h"

namespace cstl {

constexpr const char* kMetadataService = "http://169.254.169.254";
constexpr size_t kMaxMetadataAnswer = 256 * 1024;

class MetadataService {
 public:
  virtual ~MetadataService() = default;
  // The body of an answer 200, at most kMaxMetadataAnswer bytes. `path` starts with '/'; `json`: null for GET, else the
  // body of a POST. Errors: metadata_failed (origin http: the status; errno).
  virtual Result<std::vector<uint8_t>> ask(const std::string& path, const std::string* json) = 0;
};

// Plain HTTP/1.1 to `base`, "http://" and a literal address (port 80, or after a colon): one request per connection,
// half a minute at most, no names, redirects or proxies. Not by libcurl: this is in PID 1 and in the attester, runs
// there as root before they confine themselves, and needs a hundredth of it; the answer is read by http_body(), under
// fuzzing.
std::unique_ptr<MetadataService> http_metadata(std::string base = kMetadataService);

}  // namespace cstl
