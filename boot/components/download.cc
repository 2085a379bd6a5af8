#include "boot/components/download.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/fetch/https_transfer.h"
#include "crypto/base/base64.h"
#include "crypto/hash.h"

namespace cstl {

namespace {
constexpr long kMaxRedirects = 5;
constexpr int kMaxAttempts = 1000;      // even if every one brings a byte
constexpr size_t kMaxDataUrl = 48 << 10;
constexpr int64_t kTellEvery = 500;     // ms

Result<uint64_t> size_of(int file) {
  struct stat now = {};
  if (fstat(file, &now) != 0) return fail_errno("download.size");
  return static_cast<uint64_t>(now.st_size);
}

Status start_again(int file) { return ftruncate(file, 0) == 0 ? success() : Status(fail_errno("download.truncate")); }

struct Attempt {
  CURL* easy = nullptr;
  int file = -1;
  uint64_t have = 0;                    // bytes in the file
  uint64_t begin = 0;                   // of them, before this attempt
  uint64_t limit = 0;
  const DownloadProgress* progress = nullptr;
  int64_t told = 0;
  Status broken;

  void tell(bool now) {
    if (!*progress || (!now && monotonic_ms() - told < kTellEvery)) return;
    told = monotonic_ms();
    curl_off_t length = 0;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    (*progress)(have, length > 0 ? begin + static_cast<uint64_t>(length) : 0);
  }
};

size_t receive(char* data, size_t, size_t size, void* context) {
  Attempt& attempt = *static_cast<Attempt*>(context);
  if (size > attempt.limit - attempt.have) {
    attempt.broken = fail(Code::component_size, "download.size");
    return CURL_WRITEFUNC_ERROR;
  }
  attempt.broken = append(attempt.file, Bytes(reinterpret_cast<const uint8_t*>(data), size));
  if (!attempt.broken.ok()) return CURL_WRITEFUNC_ERROR;
  attempt.have += size;
  attempt.tell(false);
  return size;
}

// libcurl calls it about once a second, also when nothing comes.
int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  static_cast<Attempt*>(context)->tell(false);
  return 0;
}

struct Outcome {
  Status status;
  bool again = false;   // worth another try
  bool restart = false; // what the file holds cannot be gone on from
};

Outcome attempt_https(const std::string& url, Attempt& attempt, const std::vector<uint8_t>& ca_pem,
                      const DownloadLimits& limits, std::string* problem) {
  HttpsTransfer curl(url.c_str(), ca_pem, kMaxRedirects, limits.connect_ms);
  if (curl.handle() == nullptr) return {fail(Code::no_memory, "download.curl")};
  attempt.easy = curl.handle();
  attempt.begin = attempt.have;
  curl.set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl.set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.stall_s));
  curl.set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.bytes));
  curl.set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(attempt.have));
  curl.set(CURLOPT_BUFFERSIZE, 128L * 1024);
  curl.set(CURLOPT_WRITEFUNCTION, receive);
  curl.set(CURLOPT_WRITEDATA, &attempt);
  curl.set(CURLOPT_NOPROGRESS, 0L);
  curl.set(CURLOPT_XFERINFOFUNCTION, on_progress);
  curl.set(CURLOPT_XFERINFODATA, &attempt);
  if (curl.refused() != CURLE_OK) {
    return {fail(Code::component_unreachable, "download.option", Origin::curl, curl.refused())};
  }

  CURLcode result = curl.perform();
  long status = 0;
  curl_easy_getinfo(curl.handle(), CURLINFO_RESPONSE_CODE, &status);
  attempt.tell(true);
  attempt.easy = nullptr;
  if (!attempt.broken.ok()) return {attempt.broken};
  if (result == CURLE_OK) return {success()};
  if (problem != nullptr) *problem = curl.problem(result);
  auto unreachable = [&](const char* site) { return fail(Code::component_unreachable, site, Origin::curl, result); };
  switch (result) {
    case CURLE_HTTP_RETURNED_ERROR: {
      Error error = fail(Code::component_unreachable, "download.status", Origin::http, status);
      if (status == 416) return {error, attempt.begin > 0, true};
      return {error, status == 408 || status == 429 || status >= 500};
    }
    case CURLE_RANGE_ERROR: return {unreachable("download.range"), true, true};
    case CURLE_FILESIZE_EXCEEDED: return {fail(Code::component_size, "download.size", Origin::curl, result)};
    case CURLE_TOO_MANY_REDIRECTS: return {unreachable("download.redirects")};
    case CURLE_UNSUPPORTED_PROTOCOL: return {unreachable("download.redirect_scheme")};
    case CURLE_URL_MALFORMAT: return {unreachable("download.url")};
    case CURLE_PEER_FAILED_VERIFICATION: return {unreachable("download.server_certificate")};
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM: return {unreachable("download.ca_bundle")};
    case CURLE_OPERATION_TIMEDOUT: return {unreachable("download.stall"), true};
    case CURLE_COULDNT_RESOLVE_HOST: return {unreachable("download.name"), true};
    default: return {unreachable("download.connection"), true};
  }
}

Status download_https(const std::string& url, int file, const std::vector<uint8_t>& ca_pem,
                      const DownloadLimits& limits, const DownloadProgress& progress, std::string* problem) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) return fail(Code::no_memory, "download.curl", Origin::curl, started);
  Attempt attempt;
  attempt.file = file;
  attempt.limit = limits.bytes;
  attempt.progress = &progress;
  int failures = 0;
  int pause = limits.retry_first_ms;
  for (int attempts = 0;; ++attempts) {
    TRY_LET(attempt.have, size_of(file));
    if (attempt.have > limits.bytes) {
      TRY(start_again(file));
      attempt.have = 0;
    }
    Outcome outcome = attempt_https(url, attempt, ca_pem, limits, problem);
    if (outcome.status.ok()) return success();
    if (outcome.restart) TRY(start_again(file));
    failures = attempt.have > attempt.begin ? 0 : failures + 1;
    if (failures <= 1) pause = limits.retry_first_ms;
    if (!outcome.again || failures >= limits.tries || attempts >= kMaxAttempts) return outcome.status;
    usleep(static_cast<useconds_t>(pause) * 1000);
    pause = std::min(pause * 2, limits.retry_most_ms);
  }
}

Status copy_file(const std::string& path, int file, const DownloadLimits& limits, const DownloadProgress& progress) {
  if (path.empty() || path[0] != '/') return fail(Code::bad_value, "download.file_url");
  auto source = open_file(path.c_str(), O_RDONLY | O_NONBLOCK);
  if (!source) return fail(Code::component_unreachable, "download.file", source.error().origin, source.error().foreign);
  struct stat kind = {};
  if (fstat(source->get(), &kind) != 0) return fail_errno("download.file");
  if (!S_ISREG(kind.st_mode)) return fail(Code::component_unreachable, "download.file_kind");
  TRY(start_again(file));
  std::vector<uint8_t> chunk(256 * 1024);
  uint64_t done = 0;
  int64_t told = 0;
  for (;;) {
    ssize_t n = read(source->get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("download.file");
    if (n == 0) return success();
    done += static_cast<uint64_t>(n);
    if (done > limits.bytes) return fail(Code::component_size, "download.size");
    TRY(append(file, Bytes(chunk).first(static_cast<size_t>(n))));
    if (progress && monotonic_ms() - told >= kTellEvery) {
      told = monotonic_ms();
      progress(done, static_cast<uint64_t>(kind.st_size));
    }
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

Status append(int file, Bytes data) {
  if (lseek(file, 0, SEEK_END) < 0) return fail_errno("download.write");
  Status written = write_all(file, data);
  if (written.ok() || written.code() == Code::no_space) return written;
  int64_t number = written.error().foreign;
  if (number == EFBIG || number == EDQUOT) return fail(Code::no_space, "download.write", Origin::errno_value, number);
  return written;
}

Result<std::vector<uint8_t>> decode_data_url(std::string_view url, size_t max) {
  constexpr std::string_view kScheme = "data:";
  constexpr std::string_view kBase64 = ";base64";
  if (url.substr(0, kScheme.size()) != kScheme || url.size() > kMaxDataUrl)
    return fail(Code::bad_value, "download.data_url");
  url.remove_prefix(kScheme.size());
  size_t comma = url.find(',');
  if (comma == std::string_view::npos) return fail(Code::bad_value, "download.data_url");
  std::string_view kind = url.substr(0, comma);
  url.remove_prefix(comma + 1);
  std::string text;
  for (size_t i = 0; i < url.size(); ++i) {
    if (url[i] != '%') {
      text += url[i];
      continue;
    }
    int high = url.size() - i > 2 ? hex_digit(url[i + 1]) : -1;
    int low = url.size() - i > 2 ? hex_digit(url[i + 2]) : -1;
    if (high < 0 || low < 0) return fail(Code::bad_value, "download.data_url");
    text += static_cast<char>(high * 16 + low);
    i += 2;
  }
  bool base64 = kind.size() >= kBase64.size() && kind.substr(kind.size() - kBase64.size()) == kBase64;
  if (!base64) {
    if (text.size() > max) return fail(Code::component_size, "download.data_url");
    return Bytes(text).copy();
  }
  auto out = from_base64(text, max);
  if (!out) return fail(out.code() == Code::too_long ? Code::component_size : Code::bad_value, "download.data_url");
  return out;
}

Status download(const std::string& url, int file, const std::vector<uint8_t>& ca_pem, const DownloadLimits& limits,
                const DownloadProgress& progress, std::string* problem) {
  TRY(crypto_start());
  if (problem != nullptr) problem->clear();
  std::string_view text = url;
  if (text.substr(0, 8) == "https://") return download_https(url, file, ca_pem, limits, progress, problem);
  if (text.substr(0, 7) == "file://") return copy_file(url.substr(7), file, limits, progress);
  if (text.substr(0, 5) == "data:") {
    TRY_LET(std::vector<uint8_t> content, decode_data_url(text, limits.bytes));
    TRY(start_again(file));
    return append(file, content);
  }
  return fail(Code::unsupported, "download.scheme");
}

}  // namespace cstl
