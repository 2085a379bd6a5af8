// The bootstrapper's use of the Kubernetes API: blocking, with retries while an API server that was just started is not
// there yet, slow or busy. The server is authenticated by the cluster's CA.
#pragma once

#include <memory>

#include "boot/kubernetes/node.h"
#include "svc/kubernetes/client.h"

namespace cstl::kubernetes {

class Api {
 public:
  // Errors: those of Client::create.
  static Result<Api> open(Access access, const Report& report);

  // Each retries on api_unreachable, api_busy, api_conflict, timeout and HTTP 5xx for `patience_ms`, then gives the last error and
  // tells the server's words to the report.
  Result<nlohmann::json> get(const std::string& path, int patience_ms);
  // Also api_not_found: what it is part of may have been created a moment ago.
  Status apply(const nlohmann::json& object, int patience_ms);
  // What is not there is removed already.
  Status remove(const std::string& path, int patience_ms);
  // RFC 7396. Errors: also api_not_found.
  Status merge(const std::string& path, const nlohmann::json& patch, int patience_ms);
  // POST: what changes nothing, and may so be repeated …
  Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body, int patience_ms);
  // … and what must not: one attempt.
  Status post_once(const std::string& path, const nlohmann::json& body);
  // Waits until it exists. Errors: node_not_registered, and those of get.
  Status wait_for_node(const std::string& name, int patience_ms);

 private:
  Api(std::unique_ptr<Client> client, const Report& report) : client_(std::move(client)), report_(&report) {}
  template <typename Start>
  Result<nlohmann::json> patiently(int patience_ms, bool missing_too, Start start);
  std::unique_ptr<Client> client_;
  const Report* report_;
};

constexpr const char* kCaFile = "/etc/kubernetes/pki/ca.crt";

}  // namespace cstl::kubernetes
