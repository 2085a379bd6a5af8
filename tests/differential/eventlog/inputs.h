// Event logs for the differential test: those of real machines, and what a seeded generator makes of them. The same
// seed and number give the same input, so that both sides need no shared file.
#pragma once

#include "attest/tpm/eventlog.h"

namespace cstl::differential {

using Buffer = std::vector<uint8_t>;

enum class Kind : uint8_t { pcrs = 0, cc = 1, old = 2 };  // as tests/differential/eventlog/judge.go reads it
tpm::LogFormat format_of(Kind kind);

struct Register {
  uint8_t index = 0;
  Buffer value;
};

struct Log {
  std::string name;
  Kind kind = Kind::pcrs;
  std::vector<Register> registers;  // what the unchanged log leads to
  Buffer bytes;
};

// The packages' logs below `root` (…/usr/share/gocode/src/github.com/google/). Fails loudly: exits.
std::vector<Log> real_logs(const std::string& root);

// Input `number`: the first ones are the logs as they are, the others are changed in one to three places.
Log input(const std::vector<Log>& logs, uint64_t seed, size_t number);

}  // namespace cstl::differential
