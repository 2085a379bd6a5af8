#include "svc/nodenetwork/network_metrics.h"

#include "crypto/base/fd.h"

namespace cstl {

namespace {
constexpr int64_t kObserveMs = 5000;
constexpr Metric kRounds{"cstl_network_rounds_total", MetricKind::counter,
                         "Rounds that brought the kernel to what is desired: applied, not_ready (this node takes no part), failed.",
                         {"result"}};
constexpr Metric kReady{"cstl_network_ready", MetricKind::gauge, "1 while this node takes part in the pods' network."};
constexpr Metric kPeers{"cstl_wireguard_peers", MetricKind::gauge, "Nodes that are peers."};
constexpr Metric kSkipped{"cstl_wireguard_nodes_skipped", MetricKind::gauge, "Nodes that are left out, by reason.", {"reason"}};
constexpr Metric kKeyDiffers{"cstl_wireguard_key_differs", MetricKind::gauge,
                             "1 while this node's CstlNode holds another key than the device."};
constexpr Metric kSilent{"cstl_wireguard_peers_without_handshake", MetricKind::gauge,
                         "Peers of the device that never finished a handshake."};
constexpr Metric kBytes{"cstl_wireguard_bytes_total", MetricKind::counter, "Bytes of the tunnel, of the peers that it has.",
                        {"direction"}};
constexpr Metric kDropped{"cstl_network_dropped_packets_total", MetricKind::counter,
                          "Packets of pods that were dropped, because they came or would have gone outside of the tunnel.",
                          {"direction"}};
constexpr Metric kObserveFailed{"cstl_network_observations_failed_total", MetricKind::counter,
                                "Looks at the kernel's figures that failed."};
}  // namespace

NetworkMetrics::NetworkMetrics(Metrics& metrics, Reconciler& reconciler) : metrics_(metrics), reconciler_(reconciler) {
  for (const char* result : {"applied", "not_ready", "failed"}) metrics_.declare(kRounds, {result});
  metrics_.declare(kReady);
  metrics_.declare(kPeers);
  for (size_t i = 0; i < kSkips; ++i) metrics_.declare(kSkipped, {skip_name(static_cast<Skip>(i))});
  metrics_.declare(kKeyDiffers);
  metrics_.declare(kSilent);
  for (const char* direction : {"received", "sent"}) metrics_.declare(kBytes, {direction});
  for (const char* direction : {"arriving", "leaving"}) metrics_.declare(kDropped, {direction});
  metrics_.declare(kObserveFailed);
  metrics_.before_text([this] { observe(); });
}

void NetworkMetrics::round(const Result<Round>& round) {
  if (!round.ok()) {
    metrics_.add(kRounds, {"failed"});
    not_ready_ = "the last round failed";
    return;
  }
  const DesiredState& state = round->state;
  metrics_.add(kRounds, {state.own ? "applied" : "not_ready"});
  metrics_.set(kReady, {}, state.own ? 1 : 0);
  metrics_.set(kPeers, {}, static_cast<double>(state.peers.size()));
  metrics_.set(kKeyDiffers, {}, round->key_differs ? 1 : 0);
  std::array<size_t, kSkips> skipped{};
  for (const Skipped& skip : state.skipped) ++skipped[static_cast<size_t>(skip.reason)];
  for (size_t i = 0; i < kSkips; ++i) {
    metrics_.set(kSkipped, {skip_name(static_cast<Skip>(i))}, static_cast<double>(skipped[i]));
  }
  not_ready_ = state.own ? nullptr : state.own_problem ? skip_name(*state.own_problem) : "no_node";
}

void NetworkMetrics::observe() {
  if (monotonic_ms() < observe_again_) return;
  auto seen = reconciler_.observe();
  observe_again_ = monotonic_ms() + kObserveMs;
  if (!seen.ok()) return metrics_.add(kObserveFailed);
  size_t silent = 0;
  uint64_t received = 0, sent = 0;
  for (const DevicePeer& peer : seen->device.peers) {
    silent += peer.handshake == 0;
    received += peer.received;
    sent += peer.sent;
  }
  metrics_.set(kSilent, {}, static_cast<double>(silent));
  metrics_.set(kBytes, {"received"}, static_cast<double>(received));
  metrics_.set(kBytes, {"sent"}, static_cast<double>(sent));
  metrics_.set(kDropped, {"arriving"}, static_cast<double>(seen->dropped_arriving));
  metrics_.set(kDropped, {"leaving"}, static_cast<double>(seen->dropped_leaving));
}

}  // namespace cstl
