#include "attest/fetch/https.h"

#include <algorithm>
#include <unistd.h>

#include "attest/fetch/https_transfer.h"
#include "crypto/hash.h"

namespace cstl {

namespace {
constexpr long kMaxRedirects = 3;
constexpr size_t kMaxHeaders = 64 * 1024;

struct Transfer {
  HttpsAnswer answer;
  size_t max = 0;
  bool too_long = false;
};

size_t take_body(char* data, size_t, size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (size > transfer.max - transfer.answer.body.size()) {
    transfer.too_long = true;
    return CURL_WRITEFUNC_ERROR;
  }
  transfer.answer.body.insert(transfer.answer.body.end(), data, data + size);
  return size;
}

size_t take_header(char* data, size_t, size_t size, void* context) {
  auto& headers = static_cast<Transfer*>(context)->answer.headers;
  std::string_view line(data, size);
  if (line.substr(0, 5) == "HTTP/") headers.clear();  // of a redirection, or of another attempt
  if (size > kMaxHeaders - headers.size()) return CURL_WRITEFUNC_ERROR;
  headers += line;
  return size;
}

struct Outcome {
  Status status;
  bool again = false;
  int64_t after_ms = 0;  // what the server asks for
};

Outcome attempt(const std::string& url, const HttpsPolicy& policy, Transfer& transfer, std::string* problem) {
  HttpsTransfer curl(url.c_str(), policy.ca_pem, kMaxRedirects, policy.connect_ms);
  if (curl.handle() == nullptr) return {fail(Code::no_memory, "https.curl")};
  curl.set(CURLOPT_TIMEOUT_MS, static_cast<long>(policy.total_ms));
  curl.set(CURLOPT_WRITEFUNCTION, take_body);
  curl.set(CURLOPT_WRITEDATA, &transfer);
  curl.set(CURLOPT_HEADERFUNCTION, take_header);
  curl.set(CURLOPT_HEADERDATA, &transfer);
  if (curl.refused() != CURLE_OK) {
    return {fail(Code::collateral_unreachable, "https.option", Origin::curl, curl.refused())};
  }
  CURLcode result = curl.perform();
  if (result == CURLE_OK) return {success()};
  if (transfer.too_long) return {fail(Code::too_long, "https.size")};
  if (problem != nullptr) *problem = curl.problem(result);
  Outcome out{fail(Code::collateral_unreachable, "https.transfer", Origin::curl, result)};
  switch (result) {
    case CURLE_HTTP_RETURNED_ERROR: {
      long status = 0;
      curl_off_t after = 0;
      curl_easy_getinfo(curl.handle(), CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(curl.handle(), CURLINFO_RETRY_AFTER, &after);
      out.status = fail(Code::collateral_unreachable, "https.status", Origin::http, status);
      out.again = status == 408 || status == 429 || status >= 500;
      out.after_ms = std::clamp<curl_off_t>(after, 0, INT32_MAX / 1000) * 1000;
      break;
    }
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE: out.again = true; break;
    default: break;
  }
  return out;
}
}  // namespace

std::string HttpsAnswer::header(std::string_view name) const {
  std::string_view rest = headers;
  while (!rest.empty()) {
    size_t end = std::min(rest.find("\r\n"), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 2, rest.size()));
    size_t colon = line.find(':');
    if (colon != name.size()) continue;
    bool same = std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
      return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b | 0x20) : b);
    });
    if (!same) continue;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    return std::string(value);
  }
  return {};
}

Result<HttpsAnswer> https_get(const std::string& url, size_t max, const HttpsPolicy& policy, std::string* problem) {
  TRY(crypto_start());
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) return fail(Code::no_memory, "https.curl", Origin::curl, started);
  if (problem != nullptr) problem->clear();
  int64_t pause = policy.retry_first_ms;
  for (int tries = 1;; ++tries) {
    Transfer transfer;
    transfer.max = max;
    Outcome outcome = attempt(url, policy, transfer, problem);
    if (outcome.status.ok()) return std::move(transfer.answer);
    if (!outcome.again || tries >= policy.tries) return outcome.status.error();
    int64_t wait = std::min<int64_t>(outcome.after_ms > 0 ? outcome.after_ms : pause, policy.retry_most_ms);
    usleep(static_cast<useconds_t>(wait) * 1000);
    pause = std::min<int64_t>(pause * 2, policy.retry_most_ms);
  }
}

}  // namespace cstl
