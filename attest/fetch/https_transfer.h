// One transfer by libcurl as this project speaks HTTPS: TLS 1.3 to a server whose certificate the given authorities signed,
// nothing but HTTPS where a server redirects to, no signals, and an answer of 400 or more is a failure. Included by .cc
// files that transfer, for what they add: where the body goes, limits, times.
#pragma once

#include <curl/curl.h>

#include "crypto/base/bytes.h"

namespace cstl {

class HttpsTransfer {
 public:
  // `url` and `ca_pem` (certificates in PEM) are borrowed until this ends.
  HttpsTransfer(const char* url, Bytes ca_pem, long redirects, long connect_ms) {
    ca_ = {const_cast<uint8_t*>(ca_pem.data()), ca_pem.size(), CURL_BLOB_NOCOPY};
    set(CURLOPT_URL, url);
    set(CURLOPT_ERRORBUFFER, message_);
    set(CURLOPT_PROTOCOLS_STR, "https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, redirects);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_CAINFO_BLOB, &ca_);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_USERAGENT, "cstl/" CSTL_VERSION);
    set(CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  }
  ~HttpsTransfer() { curl_easy_cleanup(handle_); }
  HttpsTransfer(const HttpsTransfer&) = delete;
  HttpsTransfer& operator=(const HttpsTransfer&) = delete;

  // Null: no memory; nothing else is to be called then.
  CURL* handle() const { return handle_; }
  template <typename T>
  void set(CURLoption option, T value) {
    CURLcode code = curl_easy_setopt(handle_, option, value);
    if (refused_ == CURLE_OK) refused_ = code;
  }
  // Of the first option that libcurl did not take; CURLE_OK when it took all.
  CURLcode refused() const { return refused_; }
  CURLcode perform() { return curl_easy_perform(handle_); }
  // What libcurl says of `result`, which perform() returned. For people; borrowed.
  const char* problem(CURLcode result) const { return message_[0] != '\0' ? message_ : curl_easy_strerror(result); }

 private:
  CURL* handle_ = curl_easy_init();
  CURLcode refused_ = CURLE_OK;
  curl_blob ca_{};
  char message_[CURL_ERROR_SIZE] = "";
};

}  // namespace cstl
