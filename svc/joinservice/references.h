// The reference values that a joinservice demands, from a file that may be replaced while it runs. A new file counts
// only if it parses; a bad one is reported once and the values before it stay in force.
#pragma once

#include <sys/stat.h>

#include <string>

#include "attest/reference/values.h"

namespace cstl {

class ReferenceFile {
 public:
  // `now`: Unix seconds; `problem` names what is wrong in the file. Errors: those of ReferenceValues::parse, not_found, io.
  static Result<ReferenceFile> open(std::string path, int64_t now, std::string* problem);

  // Looks whether the file was replaced or changed; cheap when it was not. True: values() are new. An error is given once
  // per change of the file; values() are then what they were.
  Result<bool> refresh(int64_t now, std::string* problem);

  // Stable address while the ReferenceFile stays in place; the content changes only in refresh().
  const ReferenceValues& values() const { return values_; }

 private:
  struct Stamp {
    ino_t inode = 0;
    off_t size = -1;
    int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp& o) const {
      return inode == o.inode && size == o.size && seconds == o.seconds && nanoseconds == o.nanoseconds;
    }
  };
  Result<Stamp> stamp() const;
  Status load(int64_t now, std::string* problem);

  std::string path_;
  Stamp seen_;
  ReferenceValues values_;
};

}  // namespace cstl
