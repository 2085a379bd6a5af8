#include "svc/kubernetes/api_metrics.h"

#include "svc/run/session_metrics.h"

namespace cstl::kubernetes {

namespace {
constexpr Metric kRequests{"cstl_api_requests_total", MetricKind::counter,
                           "Requests to the API server and ended watches, by result (an error code, or ok).", {"result"}};
}  // namespace

void count_requests(Client& client, Metrics& metrics) {
  for (Code code : {Code::ok, Code::api_unreachable, Code::api_busy, Code::api_denied, Code::api_garbage, Code::timeout}) {
    metrics.declare(kRequests, {result_name(code)});
  }
  client.observe([&metrics](Code code) { metrics.add(kRequests, {result_name(code)}); });
}

}  // namespace cstl::kubernetes
