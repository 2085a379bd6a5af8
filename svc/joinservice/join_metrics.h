// What the joinservice counts beyond its sessions: joins and rejoins, certificates, reference values, records. Labels: error
// codes and the words below.
#pragma once

#include "attest/atls/frame.h"
#include "attest/reference/values.h"
#include "svc/run/metrics.h"

namespace cstl {

class JoinMetrics {
 public:
  // `metrics` is borrowed.
  explicit JoinMetrics(Metrics& metrics);
  void answered(FrameType request, Code code);          // a join or a rejoin; ok: it got its ticket
  void reloaded(bool loaded, const ReferenceValues& values);  // at start, and at every change of the file
  void certificate(bool approved);
  void damaged();                                       // a record that cannot be read
  void records(size_t nodes, bool synced, size_t jobs);

 private:
  Metrics& metrics_;
};

}  // namespace cstl
