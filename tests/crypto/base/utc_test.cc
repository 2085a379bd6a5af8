#include "crypto/base/utc.h"

#include <doctest/doctest.h>

namespace cstl {
namespace {

TEST_CASE("dates read as seconds and write themselves again") {
  for (auto [text, seconds] : {std::pair<const char*, int64_t>{"1970-01-01T00:00:00Z", 0},
                               {"1970-03-01T00:00:00Z", 5097600},
                               {"2000-02-29T23:59:59Z", 951868799},
                               {"2026-11-21T01:02:03Z", 1795222923},
                               {"2100-03-01T00:00:00Z", 4107542400},
                               {"9999-12-31T23:59:59Z", 253402300799}}) {
    auto parsed = parse_utc(text);
    REQUIRE(parsed.ok());
    CHECK(*parsed == seconds);
    CHECK(utc_text(seconds) == text);
  }
}

TEST_CASE("what is no date is refused") {
  for (const char* text : {"", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00z", "2026-01-01 00:00:00Z",
                           "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-30T00:00:00Z", "2100-02-29T00:00:00Z",
                           "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
                           "2026-01-01T00:00:60Z", "1969-12-31T23:59:59Z", "2026-01-01T00:00:00Z ", "+026-01-01T00:00:00Z"}) {
    INFO(std::string(text));
    CHECK(parse_utc(text).code() == Code::bad_value);
  }
  CHECK(utc_text(-1).empty());
  CHECK(utc_text(253402300800).empty());
}

TEST_CASE("fields are those of an independent calendar, day by day and second by second") {
  // Counted up from Thursday 1970-01-01, past 2400.
  int year = 1970, month = 1, day = 1, weekday = 4, yearday = 0;
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (int64_t days = 0; days < 160'000; ++days) {
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t second = (days * 7919) % 86400;
    std::tm tm{};
    REQUIRE(utc_fields(days * 86400 + second, &tm));
    bool same = tm.tm_year == year - 1900 && tm.tm_mon == month - 1 && tm.tm_mday == day && tm.tm_wday == weekday &&
                tm.tm_yday == yearday && tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec == second;
    if (!same) CHECK_MESSAGE(same, days);
    weekday = (weekday + 1) % 7;
    ++yearday;
    if (++day > (month == 2 && leap ? 29 : kDays[month - 1])) {
      day = 1;
      if (++month > 12) {
        month = 1;
        yearday = 0;
        ++year;
      }
    }
  }
  std::tm tm{};
  REQUIRE(utc_fields(-1, &tm));
  CHECK(tm.tm_year == 69);
  CHECK(tm.tm_yday == 364);
  CHECK_FALSE(utc_fields(INT64_MAX, &tm));
}

}  // namespace
}  // namespace cstl
