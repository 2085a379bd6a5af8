// A machine's own event log, as it goes into evidence.
#pragma once

#include "attest/tpm/eventlog.h"

namespace cstl::tpm {

// The log in `path` without its padding: ACPI hands over firmware's whole area, for a CCEL 256 KiB and more of which a
// few are used. What is not understood is handed over as it is: the verifier says what is wrong with it. Empty when
// more than `max` bytes remain: values decide without a log too, it only explains them. Errors: not_found, io, too_long
// (a file over kMaxEventLogInput).
Result<std::vector<uint8_t>> read_log_file(const char* path, LogFormat format, size_t max);

}  // namespace cstl::tpm
