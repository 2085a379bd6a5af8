#include "crypto/base/log.h"

#include <cstring>
#include <unistd.h>

namespace cstl {

namespace {
const char* g_program = "cstl";

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && std::strchr("._:/@+-", c) != nullptr);
}

void append_value(std::string& line, std::string_view value) {
  bool quote = value.empty();
  for (char c : value) quote = quote || !plain(c);
  if (!quote) {
    line += value;
    return;
  }
  line += '"';
  for (char c : value) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      static constexpr char kHex[] = "0123456789abcdef";
      line += "\\x";
      line += kHex[byte >> 4];
      line += kHex[byte & 15];
    } else {
      line += c;
    }
  }
  line += '"';
}

const char* origin_name(Origin origin) {
  switch (origin) {
    case Origin::errno_value: return "errno";
    case Origin::mbedtls: return "mbedtls";
    case Origin::tss: return "tss";
    case Origin::cryptsetup: return "cryptsetup";
    case Origin::http: return "http";
    case Origin::curl: return "curl";
    case Origin::cstl: break;
  }
  return "cstl";
}

void emit(std::string line) {
  line += '\n';
  (void)!::write(2, line.data(), line.size());  // a log that cannot be written must not stop the service
}

void append_fields(std::string& line, std::initializer_list<Field> fields) {
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
}
}  // namespace

void log_as(const char* program) { g_program = program; }

std::string format_line(std::string_view level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line = g_program;
  line += ": ";
  line += level;
  line += ' ';
  line += event;
  append_fields(line, fields);
  return line;
}

void log_info(std::string_view event, std::initializer_list<Field> fields) { emit(format_line("info", event, fields)); }

void log_warning(std::string_view event, std::initializer_list<Field> fields) {
  emit(format_line("warning", event, fields));
}

void log_error(std::string_view event, const Error& error, std::initializer_list<Field> fields) {
  std::string line = format_line("error", event, fields);
  append_fields(line, {{"code", code_name(error.code)}, {"site", error.site}});
  if (error.origin != Origin::cstl) append_fields(line, {{origin_name(error.origin), error.foreign}});
  append_fields(line, {{"advice", code_advice(error.code)}});
  emit(line);
}

std::string describe(const Error& error) {
  std::string out = code_name(error.code);
  out += " (" + std::to_string(static_cast<unsigned>(error.code)) + ") at ";
  out += error.site;
  out += ": ";
  out += code_what(error.code);
  if (error.origin == Origin::errno_value) {
    out += " (";
    out += std::strerror(static_cast<int>(error.foreign));
    out += ")";
  } else if (error.origin != Origin::cstl) {
    out += std::string(" (") + origin_name(error.origin) + " " + std::to_string(error.foreign) + ")";
  }
  return out;
}

}  // namespace cstl
