// What a service counts about its unix socket. Labels: error codes.
#pragma once

#include "svc/run/local_server.h"
#include "svc/run/metrics.h"

namespace cstl {

// All are borrowed and outlive their last use.
class LocalMetrics {
 public:
  explicit LocalMetrics(Metrics& metrics);
  void watch(const LocalServer& server);
  void refused(Code code);

 private:
  Metrics& metrics_;
};

}  // namespace cstl
