#include "attest/platform/metadata.h"

#include <curl/curl.h>

namespace cstl {

namespace {
constexpr long kTimeoutMs = 30'000;  // the quoting service behind it takes seconds

struct EasyDelete {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

size_t collect(char* data, size_t size, size_t count, void* out) {
  auto* body = static_cast<std::vector<uint8_t>*>(out);
  const size_t bytes = size * count;
  if (bytes > kMaxMetadataAnswer - body->size()) return 0;  // ends the transfer
  body->insert(body->end(), data, data + bytes);
  return bytes;
}

class HttpMetadata final : public MetadataService {
 public:
  explicit HttpMetadata(std::string base) : base_(std::move(base)) {}

  Result<std::vector<uint8_t>> ask(const std::string& path, const std::string* json) override {
    std::unique_ptr<CURL, EasyDelete> easy(curl_easy_init());
    std::unique_ptr<curl_slist, EasyDelete> headers(curl_slist_append(nullptr, "Metadata: true"));
    if (easy == nullptr || headers == nullptr) return fail(Code::no_memory, "metadata.curl");
    curl_slist* all = json == nullptr ? headers.get() : curl_slist_append(headers.get(), "Content-Type: application/json");
    if (all == nullptr) return fail(Code::no_memory, "metadata.curl");
    std::vector<uint8_t> body;
    const std::string url = base_ + path;
    CURLcode code = CURLE_OK;
    auto set = [&](CURLoption option, auto value) {
      if (code == CURLE_OK) code = curl_easy_setopt(easy.get(), option, value);
    };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, kTimeoutMs);
    set(CURLOPT_HTTPHEADER, all);
    set(CURLOPT_WRITEFUNCTION, collect);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&body));
    if (json != nullptr) {
      set(CURLOPT_POSTFIELDSIZE, static_cast<long>(json->size()));
      set(CURLOPT_POSTFIELDS, json->data());
    }
    if (code == CURLE_OK) code = curl_easy_perform(easy.get());
    if (code != CURLE_OK) return fail(Code::metadata_failed, "metadata.http", Origin::curl, code);
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return fail(Code::metadata_failed, "metadata.status", Origin::http, status);
    return body;
  }

 private:
  std::string base_;
};
}  // namespace

std::unique_ptr<MetadataService> http_metadata(std::string base) { return std::make_unique<HttpMetadata>(std::move(base)); }

}  // namespace cstl
