#include "attest/platform/http_answer.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <strings.h>

namespace cstl {

namespace {
constexpr size_t kMaxLine = 4096;
constexpr int kMaxFields = 64;

Error broken(const char* site) { return fail(Code::metadata_failed, site); }

// Takes a line and its CRLF from the front of `text`.
Result<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.substr(0, kMaxLine + 2).find("\r\n");
  if (end == std::string_view::npos) return broken("http.line");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

Result<size_t> number(std::string_view digits, int base, size_t max) {
  size_t out = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, out, base);
  if (digits.empty() || error != std::errc() || stop != end || out > max) return broken("http.number");
  return out;
}

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Result<std::vector<uint8_t>> join_chunks(std::string_view text, size_t max) {
  std::vector<uint8_t> out;
  for (;;) {
    TRY_LET(std::string_view head, take_line(text));
    TRY_LET(size_t size, number(trimmed(head.substr(0, head.find(';'))), 16, max - out.size()));
    if (size == 0) break;
    if (size > text.size()) return broken("http.chunk");
    out.insert(out.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    text.remove_prefix(size);
    TRY_LET(std::string_view rest, take_line(text));
    if (!rest.empty()) return broken("http.chunk");
  }
  for (int i = 0; i <= kMaxFields; ++i) {
    TRY_LET(std::string_view trailer, take_line(text));
    if (!trailer.empty()) continue;
    if (!text.empty()) return broken("http.trailing");
    return out;
  }
  return broken("http.fields");
}

Result<size_t> status_in(std::string_view line) {
  const bool form = line.size() >= 12 && line.substr(0, 7) == "HTTP/1." && (line[7] == '0' || line[7] == '1') &&
                    line[8] == ' ' && (line.size() == 12 || line[12] == ' ');
  if (!form) return broken("http.status");
  return number(line.substr(9, 3), 10, 999);
}
}  // namespace

Result<std::vector<uint8_t>> http_body(Bytes answer, size_t max) {
  std::string_view text = answer.text();
  TRY_LET(std::string_view first, take_line(text));
  TRY_LET(size_t status, status_in(first));
  bool chunked = false;
  std::optional<size_t> length;
  for (int fields = 0;; ++fields) {
    TRY_LET(std::string_view line, take_line(text));
    if (line.empty()) break;
    const size_t colon = line.find(':');
    if (fields == kMaxFields || colon == 0 || colon == std::string_view::npos) return broken("http.fields");
    const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
    if (same_word(name, "transfer-encoding")) {
      if (chunked || !same_word(value, "chunked")) return broken("http.encoding");
      chunked = true;
    }
    if (same_word(name, "content-length")) {
      if (length) return broken("http.length");
      TRY_LET(length, number(value, 10, max));
    }
  }
  if (status != 200) return fail(Code::metadata_failed, "http.status", Origin::http, static_cast<int64_t>(status));
  if (chunked && length) return broken("http.length");
  if (chunked) return join_chunks(text, max);
  if (text.size() > max || (length && *length != text.size())) return broken("http.length");
  return Bytes(text).copy();
}

}  // namespace cstl
