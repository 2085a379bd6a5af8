// One line per event on stderr, as logfmt: `cstl-init: info disk.unlocked uuid=… seconds=1.9`
// Event names are stable. Values are quoted when they hold anything but [A-Za-z0-9._:/@+-]; control bytes are escaped,
// so no peer can forge a line. Only main.cc files and event handlers of programs log; libraries return errors.
// Secret<N> has no conversion to a field, on purpose.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace cstl {

struct Field {
  std::string_view key;
  std::string value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, int64_t v) : key(k), value(std::to_string(v)) {}
};

// Call once at start; `program` must be a literal.
void log_as(const char* program);

void log_info(std::string_view event, std::initializer_list<Field> fields = {});
void log_warning(std::string_view event, std::initializer_list<Field> fields = {});
// Adds code, site, the foreign number and the advice of the error.
void log_error(std::string_view event, const Error& error, std::initializer_list<Field> fields = {});

// "quote_nonce (306) at quote.nonce: the quote does not sign this session": for people.
std::string describe(const Error& error);

// The line that would be written, without the newline: what the functions above print, and what tests read.
std::string format_line(std::string_view level, std::string_view event, std::initializer_list<Field> fields);

}  // namespace cstl
