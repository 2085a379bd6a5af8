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
  // body of a POST. Errors: metadata_failed (origin http: the status; curl: the CURLcode).
  virtual Result<std::vector<uint8_t>> ask(const std::string& path, const std::string* json) = 0;
};

// By libcurl: plain HTTP to `base`, a scheme and a literal address, without names, redirects or cookies (ours knows no
// proxy), half a minute at most. Which system calls that takes is in policy/seccomp/metadata.policy.
std::unique_ptr<MetadataService> http_metadata(std::string base = kMetadataService);

}  // namespace cstl
