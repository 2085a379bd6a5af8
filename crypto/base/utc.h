// Dates of the proleptic Gregorian calendar in UTC, as RFC 3339 writes them, and Unix seconds. No time zones, no leap
// seconds, no libc: its conversions read the time zone's file, which a confined process cannot, and are large.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace cstl {

// "2026-01-01T00:00:00Z", years 1970 to 9999, nothing else. Errors: bad_value.
Result<int64_t> parse_utc(std::string_view text);
// The same form; empty for what it cannot hold (before 1970, after 9999).
std::string utc_text(int64_t seconds);
// As gmtime_r(3) fills it, for 0 <= seconds < 2^40 or so; false when the year does not fit.
bool utc_fields(int64_t seconds, std::tm* out);

}  // namespace cstl
