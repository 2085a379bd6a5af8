#include "svc/run/local_metrics.h"

namespace cstl {

namespace {
constexpr Metric kRefused{"cstl_requests_refused_total", MetricKind::counter,
                          "Requests on the unix socket that were refused or failed, by reason.", {"reason"}};
constexpr Metric kOpen{"cstl_connections_open", MetricKind::gauge, "Connections to the unix socket: the queue of requests."};
}  // namespace

LocalMetrics::LocalMetrics(Metrics& metrics) : metrics_(metrics) {
  metrics_.declare(kRefused, {code_name(Code::peer_credentials)});
  metrics_.declare(kRefused, {code_name(Code::frame_type)});
  metrics_.declare(kOpen);
}

void LocalMetrics::watch(const LocalServer& server) {
  metrics_.before_text([this, &server] { metrics_.set(kOpen, {}, static_cast<double>(server.connections())); });
}

void LocalMetrics::refused(Code code) { metrics_.add(kRefused, {code_name(code)}); }

}  // namespace cstl
