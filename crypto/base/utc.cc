#include "crypto/base/utc.h"

#include <climits>

namespace cstl {

namespace {
constexpr int64_t kDay = 86400;
constexpr int64_t kDaysPerEra = 146097;      // 400 years
constexpr int64_t kDaysTo1970 = 719468;      // from 0000-03-01: years begin in March, so that leap days end them
constexpr int64_t kMaxSeconds = 253402300799;  // 9999-12-31T23:59:59Z

bool leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int days_in(int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && leap(year) ? 29 : kDays[month - 1];
}

// Days since 1970-01-01; month 1..12, day from 1.
int64_t days_from(int64_t year, int month, int day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysPerEra + day_of_era - kDaysTo1970;
}

void two_digits(std::string& out, int number) {
  out += static_cast<char>('0' + number / 10);
  out += static_cast<char>('0' + number % 10);
}
}  // namespace

bool utc_fields(int64_t seconds, std::tm* out) {
  int64_t days = seconds / kDay, rest = seconds % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  int64_t shifted = days + kDaysTo1970;
  int64_t era = (shifted >= 0 ? shifted : shifted - (kDaysPerEra - 1)) / kDaysPerEra;
  int64_t day_of_era = shifted - era * kDaysPerEra;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_from_march = (5 * day_of_year + 2) / 153;
  int month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  int64_t year = era * 400 + year_of_era + (month <= 2);
  if (year - 1900 < INT_MIN || year - 1900 > INT_MAX) return false;
  *out = {};
  out->tm_year = static_cast<int>(year - 1900);
  out->tm_mon = month - 1;
  out->tm_mday = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  out->tm_hour = static_cast<int>(rest / 3600);
  out->tm_min = static_cast<int>(rest / 60 % 60);
  out->tm_sec = static_cast<int>(rest % 60);
  out->tm_wday = static_cast<int>(((days % 7) + 7 + 4) % 7);  // 1970-01-01 was a Thursday
  out->tm_yday = static_cast<int>(days - days_from(year, 1, 1));
  return true;
}

Result<int64_t> parse_utc(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  bool ok = text.size() == kForm.size();
  for (size_t i = 0; ok && i < text.size(); ++i) {
    ok = kForm[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == kForm[i];
  }
  if (!ok) return fail(Code::bad_value, "utc.form");
  auto number = [&](size_t from, size_t count) {
    int n = 0;
    for (size_t i = from; i < from + count; ++i) n = n * 10 + (text[i] - '0');
    return n;
  };
  int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 ||
      second > 59) {
    return fail(Code::bad_value, "utc.date");
  }
  return days_from(year, month, day) * kDay + hour * 3600 + minute * 60 + second;
}

std::string utc_text(int64_t seconds) {
  std::tm tm{};
  if (seconds < 0 || seconds > kMaxSeconds || !utc_fields(seconds, &tm)) return {};
  std::string out;
  int year = tm.tm_year + 1900;
  two_digits(out, year / 100);
  two_digits(out, year % 100);
  out += '-';
  two_digits(out, tm.tm_mon + 1);
  out += '-';
  two_digits(out, tm.tm_mday);
  out += 'T';
  two_digits(out, tm.tm_hour);
  out += ':';
  two_digits(out, tm.tm_min);
  out += ':';
  two_digits(out, tm.tm_sec);
  out += 'Z';
  return out;
}

}  // namespace cstl
