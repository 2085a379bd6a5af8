// What the service counts about the pods' network: its rounds, who is a peer and who is not, and what the kernel says about
// the tunnel. Labels: the reasons of desired.h and the words below.
#pragma once

#include "svc/nodenetwork/reconcile.h"
#include "svc/run/metrics.h"

namespace cstl {

class NetworkMetrics {
 public:
  // Both are borrowed and outlive this. The kernel is asked at most every five seconds, and only for a text.
  NetworkMetrics(Metrics& metrics, Reconciler& reconciler);
  void round(const Result<Round>& round);
  // Why this node takes no part, a literal; nullptr: it does.
  const char* not_ready() const { return not_ready_; }

 private:
  void observe();

  Metrics& metrics_;
  Reconciler& reconciler_;
  const char* not_ready_ = "Nodes and CstlNodes were not read yet";
  int64_t observe_again_ = 0;
};

}  // namespace cstl
