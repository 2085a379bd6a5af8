// The reference values that a joinservice demands, from a file that may be replaced while it runs. A new file counts
// only if it parses; a bad one is reported once and the values before it stay in force. With a trust policy it counts
// only if it is signed as the policy says (attest/reference/signed.h; the signatures lie beside it), and never an older
// version after a newer one: as far as this process remembers, or with a memory, as far as that does.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "attest/reference/signed.h"

namespace cstl {

// The newest version that counted, beyond the life of a process.
struct ReferenceMemory {
  std::function<Result<SeenReference>()> load;           // version 0: nothing yet
  std::function<Status(const SeenReference&)> save;      // durable once it returns
};
// In a file that only this process writes (attest/reference/seen.h). `name`: the policy's. A file that cannot be read
// is an error, never an empty memory: config_malformed, and those of files.
ReferenceMemory memory_in_file(std::string path, std::string name);

class ReferenceFile {
 public:
  // `now`: Unix seconds; `problem` names what is wrong in the file. `memory` is used only with a policy; a new version
  // is remembered there before it counts. Errors: those of ReferenceValues::parse or, with a policy, of open_signed()
  // and of `memory`; not_found, io.
  static Result<ReferenceFile> open(std::string path, std::optional<TrustPolicy> trust, int64_t now,
                                    std::string* problem, ReferenceMemory memory = {});

  // Looks whether the file, or a signature beside it, was replaced or changed; cheap when it was not. True: values()
  // are new. An error is given once per change of the file; values() are then what they were.
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
  using Stamps = std::vector<Stamp>;   // of the document, then of what may lie beside it
  Result<Stamps> stamps() const;
  Status load(int64_t now, std::string* problem);

  std::string path_;
  std::optional<TrustPolicy> trust_;
  std::vector<std::string> beside_;    // suffixes of the files that the policy looks for
  ReferenceMemory memory_;
  SeenReference remembered_;
  Stamps seen_;
  ReferenceValues values_;
};

}  // namespace cstl
