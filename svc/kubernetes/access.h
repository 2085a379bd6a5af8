// Who we are for the API server, read from the files that an Access names; and what a path may be.
#pragma once

#include <string>

#include "svc/kubernetes/client.h"
#include "svc/kubernetes/transfer.h"

namespace cstl::kubernetes {

// "https://name-or-address[:port]"; a final slash is dropped. Errors: bad_value.
Result<std::string> checked_server(std::string_view server);

// See Client::get(). Errors: bad_value.
Status check_path(std::string_view path);

// Reads and parses CA, certificate and key. Errors: bad_certificate, bad_key, by errno for the files.
Result<Identity> read_identity(const Access& access);

// The bearer token in a file, read again when the file has changed.
class TokenFile {
 public:
  explicit TokenFile(std::string path) : path_(std::move(path)) {}
  ~TokenFile();
  TokenFile(const TokenFile&) = delete;
  TokenFile& operator=(const TokenFile&) = delete;

  // Empty without a file name. Errors: bad_value (empty, longer than 16 KiB, not a token of RFC 6750), by errno.
  Result<std::string> current();
  // Reads the file whatever its time says. True when the token is another one now.
  bool reload();

 private:
  Status read();
  std::string path_;
  std::string token_;
  int64_t read_at_ = 0;     // stat's mtime in ns, inode and size of what was read
  uint64_t inode_ = 0;
  int64_t size_ = -1;
};

}  // namespace cstl::kubernetes
