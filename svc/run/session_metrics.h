// What a service counts about its aTLS sessions and about the evidence that it gives. Labels: error codes.
#pragma once

#include "svc/run/metrics.h"
#include "svc/run/server.h"

namespace cstl {

// All are borrowed and outlive their last use.
class SessionMetrics {
 public:
  // `appraises`: the service demands evidence, too.
  SessionMetrics(Metrics& metrics, bool appraises);
  void watch(QuoteBatch& batch);
  void watch(const Server& server);
  // For ServerConfig::on_end.
  void ended(const SessionEnd& end);

 private:
  Metrics& metrics_;
};

// "ok", or the name of the code: a label's value.
const char* result_name(Code code);

}  // namespace cstl
