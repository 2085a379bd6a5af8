// /metrics, /healthz and /readyz of a service, over HTTP on a loopback address, served by a process of its own.
//
// The services hold secrets, and any process of the node can connect to a loopback port. So HTTP is spoken by a child that is
// forked before the first secret exists, even before the random generator is seeded, and is confined at once: another
// user where root may change it (kExporterUid), no capability, no path (Landlock), no file, no new socket (seccomp:
// policy/seccomp/exporter.policy). It asks the service over a socket pair: one byte what, one byte which. What the service
// answers is one byte which, one byte ok, four bytes length (big-endian) and text. A child that breaks that, or ends, costs
// the metrics and nothing else.
//
//   GET /metrics   200, text/plain; version=0.0.4 — the text of Metrics and two figures of /proc/PID/statm
//   GET /healthz   200 when the service's loop answers within 3 s, 503 otherwise
//   GET /readyz    200 when it also says that it is ready, 503 with the reason otherwise
//
// HEAD is answered like GET; other methods get 405, other paths 404. One request a connection, 8 KiB a request, 10 s in all; at
// most 32 connections, and from 16 on the oldest is cut for each that comes. The service is asked at most four times a second per path.
//
// HTTP by libmicrohttpd. Never logs; the service learns by `on_ended` that its child is gone.
#pragma once

#include <memory>
#include <string>

#include "crypto/base/fd.h"
#include "svc/run/lockdown.h"
#include "svc/run/loop.h"
#include "svc/run/metrics.h"

namespace cstl {

constexpr uid_t kExporterUid = 907;

extern const SeccompPolicy kExporterSeccomp;
extern const LandlockPolicy kExporterLandlock;

// What the child asks for.
enum class Question : uint8_t { metrics = 'm', health = 'h', readiness = 'r' };
constexpr size_t kMaxExporterText = 256 * 1024;
constexpr size_t kExporterHead = 6;      // of an answer, before its text

struct ExporterHooks {
  std::function<const char*()> not_ready;            // why (a literal), nullptr: ready. May be empty: always ready
  std::function<void(const Error&)> on_ended;        // the child is gone; once. May be empty
};

// The service's side.
class Exporter final : public Participant {
 public:
  // Forks, and waits until the child is confined. `endpoint`: "127.0.0.1:9190", a literal loopback address; port 0: any.
  // Call it before secrets are read. Errors: bad_value (no endpoint, or not a loopback address), io, sandbox_failed.
  static Result<std::unique_ptr<Exporter>> start(std::string_view endpoint);

  // For tests: `child` is the other end of a socket pair, whoever holds it.
  static std::unique_ptr<Exporter> over(Fd child);

  // Answers from now on, as part of a loop. `metrics` is borrowed.
  void serve(Metrics& metrics, ExporterHooks hooks);
  const std::string& endpoint() const { return endpoint_; }   // with the port that it has

  void prepare(PollSet& set) override;
  void dispatch(const PollSet& set) override;

 private:
  Exporter(Fd child, std::string endpoint) : child_(std::move(child)), endpoint_(std::move(endpoint)) {}
  Status turn();
  void answer(Question question, uint8_t which);

  Fd child_;
  std::string endpoint_;
  Metrics* metrics_ = nullptr;
  ExporterHooks hooks_;
  std::string output_;          // what the child has not taken yet; nothing is read before it has
  size_t sent_ = 0;
  size_t position_ = SIZE_MAX;
};

// The child's side: confines itself, says so by one byte to `service`, serves HTTP on `listener` until `service` closes.
// `statm` is /proc/PID/statm of the service, or invalid.
[[noreturn]] void run_exporter(Fd listener, Fd service, Fd statm);

}  // namespace cstl
