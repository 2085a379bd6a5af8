#include "attest/fetch/https.h"

#include <algorithm>
#include <curl/curl.h>
#include <unistd.h>

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
  struct Easy {
    CURL* handle = curl_easy_init();
    ~Easy() { curl_easy_cleanup(handle); }
  } easy;
  if (easy.handle == nullptr) return {fail(Code::no_memory, "https.curl")};
  CURLcode bad = CURLE_OK;
  auto set = [&](CURLoption option, auto value) {
    CURLcode code = curl_easy_setopt(easy.handle, option, value);
    if (bad == CURLE_OK) bad = code;
  };
  char message[CURL_ERROR_SIZE] = "";
  curl_blob ca{const_cast<uint8_t*>(policy.ca_pem.data()), policy.ca_pem.size(), CURL_BLOB_NOCOPY};
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_ERRORBUFFER, message);
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, kMaxRedirects);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_CAINFO_BLOB, &ca);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_USERAGENT, "cstl/" CSTL_VERSION);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(policy.connect_ms));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(policy.total_ms));
  set(CURLOPT_WRITEFUNCTION, take_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, take_header);
  set(CURLOPT_HEADERDATA, &transfer);
  if (bad != CURLE_OK) return {fail(Code::collateral_unreachable, "https.option", Origin::curl, bad)};

  CURLcode result = curl_easy_perform(easy.handle);
  if (result == CURLE_OK) return {success()};
  if (transfer.too_long) return {fail(Code::too_long, "https.size")};
  if (problem != nullptr) *problem = message[0] != '\0' ? message : curl_easy_strerror(result);
  Outcome out{fail(Code::collateral_unreachable, "https.transfer", Origin::curl, result)};
  switch (result) {
    case CURLE_HTTP_RETURNED_ERROR: {
      long status = 0;
      curl_off_t after = 0;
      curl_easy_getinfo(easy.handle, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(easy.handle, CURLINFO_RETRY_AFTER, &after);
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
