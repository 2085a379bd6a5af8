#include "svc/joinservice/join_metrics.h"

#include <algorithm>

namespace cstl {

namespace {
constexpr Metric kJoins{"cstl_joins_total", MetricKind::counter, "Requests of machines: admitted or refused.",
                        {"request", "verdict"}};
constexpr Metric kRefused{"cstl_joins_refused_total", MetricKind::counter, "Requests of machines that were refused, by reason.",
                          {"request", "reason"}};
constexpr Metric kReloads{"cstl_reference_reloads_total", MetricKind::counter,
                          "Changes of the reference values: loaded, or rejected (the ones before stay in force).", {"result"}};
constexpr Metric kSets{"cstl_reference_sets", MetricKind::gauge, "Reference sets in force."};
constexpr Metric kExpiry{"cstl_reference_expiry_timestamp_seconds", MetricKind::gauge,
                         "When the reference values or the first of their sets expire, Unix time."};
constexpr Metric kCertificates{"cstl_serving_certificates_total", MetricKind::counter,
                               "Kubelets' serving certificates: approved, or left unapproved.", {"result"}};
constexpr Metric kRecords{"cstl_node_records", MetricKind::gauge, "Machines on record."};
constexpr Metric kDamaged{"cstl_node_records_damaged_total", MetricKind::counter, "Records that could not be read."};
constexpr Metric kSynced{"cstl_store_synced", MetricKind::gauge, "1 once all records were read."};
constexpr Metric kJobs{"cstl_join_jobs_open", MetricKind::gauge, "Requests that wait for the API server."};

const char* request_name(FrameType request) { return request == FrameType::join_request ? "join" : "rejoin"; }
}  // namespace

JoinMetrics::JoinMetrics(Metrics& metrics) : metrics_(metrics) {
  for (FrameType request : {FrameType::join_request, FrameType::rejoin_request}) {
    metrics_.declare(kJoins, {request_name(request), "admitted"});
    metrics_.declare(kJoins, {request_name(request), "refused"});
  }
  metrics_.declare(kRefused, {"join", code_name(Code::role_refused)});
  metrics_.declare(kRefused, {"rejoin", code_name(Code::unknown_node)});
  metrics_.declare(kReloads, {"loaded"});
  metrics_.declare(kReloads, {"rejected"});
  metrics_.declare(kSets);
  metrics_.declare(kExpiry);
  metrics_.declare(kCertificates, {"approved"});
  metrics_.declare(kCertificates, {"left"});
  metrics_.declare(kRecords);
  metrics_.declare(kDamaged);
  metrics_.declare(kSynced);
  metrics_.declare(kJobs);
}

void JoinMetrics::answered(FrameType request, Code code) {
  metrics_.add(kJoins, {request_name(request), code == Code::ok ? "admitted" : "refused"});
  if (code != Code::ok) metrics_.add(kRefused, {request_name(request), code_name(code)});
}

void JoinMetrics::reloaded(bool loaded, const ReferenceValues& values) {
  metrics_.add(kReloads, {loaded ? "loaded" : "rejected"});
  int64_t first = values.expires != 0 ? values.expires : INT64_MAX;
  for (const ReferenceSet& set : values.sets) first = std::min(first, set.not_after);
  metrics_.set(kSets, {}, static_cast<double>(values.sets.size()));
  metrics_.set(kExpiry, {}, static_cast<double>(first));
}

void JoinMetrics::certificate(bool approved) { metrics_.add(kCertificates, {approved ? "approved" : "left"}); }

void JoinMetrics::damaged() { metrics_.add(kDamaged); }

void JoinMetrics::records(size_t nodes, bool synced, size_t jobs) {
  metrics_.set(kRecords, {}, static_cast<double>(nodes));
  metrics_.set(kSynced, {}, synced ? 1 : 0);
  metrics_.set(kJobs, {}, static_cast<double>(jobs));
}

}  // namespace cstl
