#include "crypto/base/log.h"

#include <cstring>
#include <ctime>
#include <unistd.h>
#include <vector>

#include "crypto/base/json.h"
#include "crypto/base/utc.h"

namespace cstl {

namespace {
const char* g_program = "cstl";
LogForm g_form = LogForm::logfmt;

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

struct Span {   // fields, borrowed
  const Field* first = nullptr;
  size_t count = 0;
  const Field* begin() const { return first; }
  const Field* end() const { return first + count; }
};
Span span_of(const std::vector<Field>& fields) { return {fields.data(), fields.size()}; }
Span span_of(std::initializer_list<Field> fields) { return {fields.begin(), fields.size()}; }

std::string logfmt_line(std::string_view level, std::string_view event, std::initializer_list<Span> parts) {
  std::string line = g_program;
  line += ": ";
  line += level;
  line += ' ';
  line += event;
  for (const Span& part : parts) {
    for (const Field& field : part) {
      line += ' ';
      line += field.key;
      line += '=';
      append_value(line, field.value);
    }
  }
  return line;
}

// A JSON string in ASCII.
std::string json_string(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// RFC 3339 with milliseconds.
std::string time_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::string text = utc_text(now.tv_sec);
  if (text.empty()) return text;
  std::string fraction = std::to_string(1000 + now.tv_nsec / 1'000'000);
  fraction[0] = '.';
  return text.replace(text.size() - 1, 1, fraction + "Z");
}

std::string json_line(std::string_view level, std::string_view event, std::initializer_list<Span> parts) {
  std::string line = "{\"time\":" + json_string(time_text()) + ",\"level\":" + json_string(level) + ",\"program\":" +
                     json_string(g_program) + ",\"event\":" + json_string(event);
  for (const Span& part : parts) {
    for (const Field& field : part) {
      line += ',' + json_string(field.key) + ':' + (field.number ? field.value : json_string(field.value));
    }
  }
  return line + '}';
}

std::string line_of(std::string_view level, std::string_view event, std::initializer_list<Span> parts) {
  return g_form == LogForm::json ? json_line(level, event, parts) : logfmt_line(level, event, parts);
}
}  // namespace

void log_as(const char* program, LogForm form) {
  g_program = program;
  g_form = form;
}

std::string format_line(std::string_view level, std::string_view event, std::initializer_list<Field> fields) {
  return line_of(level, event, {span_of(fields)});
}

void log_info(std::string_view event, std::initializer_list<Field> fields) { emit(format_line("info", event, fields)); }

void log_warning(std::string_view event, std::initializer_list<Field> fields) {
  emit(format_line("warning", event, fields));
}

void log_error(std::string_view event, const Error& error, std::initializer_list<Field> fields) {
  std::vector<Field> more = {{"code", code_name(error.code)}, {"site", error.site}};
  if (error.origin != Origin::cstl) more.emplace_back(origin_name(error.origin), error.foreign);
  more.emplace_back("advice", code_advice(error.code));
  emit(line_of("error", event, {span_of(fields), span_of(more)}));
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
