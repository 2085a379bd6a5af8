#include "svc/run/session_metrics.h"

namespace cstl {

namespace {
constexpr Metric kHandshakes{"cstl_handshakes_total", MetricKind::counter,
                             "Connections by how far they came: opened (both verdicts passed) or refused.", {"result"}};
constexpr Metric kRefused{"cstl_handshakes_refused_total", MetricKind::counter,
                          "Connections that ended before both verdicts passed, by cause.", {"cause"}};
constexpr Metric kOpen{"cstl_sessions_open", MetricKind::gauge, "Connections that are open, in any phase."};
constexpr Metric kServed{"cstl_sessions_served_total", MetricKind::counter, "Sessions in which a request was answered."};
constexpr Metric kEvidence{"cstl_evidence_seconds", MetricKind::histogram, "How long the attester took to make evidence."};
constexpr Metric kEvidenceFailed{"cstl_evidence_failed_total", MetricKind::counter,
                                 "Evidence and activations that the attester did not make, by reason.", {"reason"}};
constexpr Metric kAppraisal{"cstl_appraisal_seconds", MetricKind::histogram, "How long it took to appraise a peer's evidence."};
constexpr Metric kVerdicts{"cstl_verdicts_total", MetricKind::counter, "Verdicts on peers' evidence, by reason.",
                           {"verdict", "reason"}};
}  // namespace

const char* result_name(Code code) { return code == Code::ok ? "ok" : code_name(code); }

SessionMetrics::SessionMetrics(Metrics& metrics, bool appraises) : metrics_(metrics) {
  metrics_.declare(kHandshakes, {"opened"});
  metrics_.declare(kHandshakes, {"refused"});
  for (Code code : {Code::tls_failed, Code::timeout, Code::closed, Code::too_many_sessions, Code::peer_refused}) {
    metrics_.declare(kRefused, {code_name(code)});
  }
  metrics_.declare(kOpen);
  metrics_.declare(kServed);
  metrics_.declare(kEvidence);
  metrics_.declare(kEvidenceFailed, {code_name(Code::tpm_failed)});
  if (!appraises) return;
  metrics_.declare(kAppraisal);
  metrics_.declare(kVerdicts, {"passed", "ok"});
  metrics_.declare(kVerdicts, {"refused", code_name(Code::reference_mismatch)});
}

void SessionMetrics::watch(QuoteBatch& batch) {
  batch.on_answer = [this](double seconds, bool activation, Code code) {
    if (code != Code::ok) return metrics_.add(kEvidenceFailed, {code_name(code)});
    if (!activation) metrics_.observe(kEvidence, seconds);
  };
}

void SessionMetrics::watch(const Server& server) {
  metrics_.before_text([this, &server] { metrics_.set(kOpen, {}, static_cast<double>(server.sessions())); });
}

void SessionMetrics::ended(const SessionEnd& end) {
  metrics_.add(kHandshakes, {end.opened ? "opened" : "refused"});
  if (!end.opened) metrics_.add(kRefused, {result_name(end.error.code)});
  if (end.served) metrics_.add(kServed);
  if (end.verdict == nullptr) return;
  metrics_.observe(kAppraisal, end.appraisal_seconds);
  metrics_.add(kVerdicts, {end.verdict->passed() ? "passed" : "refused", result_name(end.verdict->code)});
}

}  // namespace cstl
