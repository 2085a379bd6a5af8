#include "attest/tpm/log_file.h"

#include "crypto/base/fd.h"

namespace cstl::tpm {

Result<std::vector<uint8_t>> read_log_file(const char* path, LogFormat format, size_t max) {
  TRY_LET(std::vector<uint8_t> log, read_file(path, kMaxEventLogInput));
  Result<EventLog> decoded = EventLog::decode(log, format);
  if (decoded.ok()) log.resize(decoded->size);
  if (log.size() > max) log.clear();
  return log;
}

}  // namespace cstl::tpm
