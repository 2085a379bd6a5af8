// One line per event on stderr, in one of two forms:
//
//   logfmt   cstl-init: info disk.unlocked uuid=… seconds=1.9
//   json     {"time":"2026-01-01T00:00:00.250Z","level":"info","program":"cstl-keyservice","event":"key.released","class":"disk"}
//
// Event names are stable (docs/metrics.md lists those of the services). In logfmt, values are quoted when they hold anything
// but [A-Za-z0-9._:/@+-] and control bytes are escaped. A line of JSON is an object of strings and integers in ASCII: what
// lies beyond is escaped, what is no UTF-8 becomes U+FFFD; its time is UTC. So no peer can forge a line or a field.
// Only main.cc files and event handlers of programs log; libraries return errors.
// Secret<N> has no conversion to a field, on purpose.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace cstl {

// The keys time, level, program and event belong to the line itself.
struct Field {
  std::string_view key;
  std::string value;
  bool number = false;   // `value` is a decimal integer, and stays one in JSON
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, int64_t v) : key(k), value(std::to_string(v)), number(true) {}
};

enum class LogForm : uint8_t { logfmt, json };

// Call once at start; `program` must be a literal.
void log_as(const char* program, LogForm form = LogForm::logfmt);

void log_info(std::string_view event, std::initializer_list<Field> fields = {});
void log_warning(std::string_view event, std::initializer_list<Field> fields = {});
// Adds code, site, the foreign number and the advice of the error.
void log_error(std::string_view event, const Error& error, std::initializer_list<Field> fields = {});

// "quote_nonce (306) at quote.nonce: the quote does not sign this session": for people.
std::string describe(const Error& error);

// The line that would be written, without the newline: what the functions above print, and what tests read.
std::string format_line(std::string_view level, std::string_view event, std::initializer_list<Field> fields);

}  // namespace cstl
