// HTTPS exchanges over libcurl's multi interface, as one Participant of a Loop. Knows nothing of Kubernetes.
//
// One server, authenticated by one CA; TLS 1.3; no redirects, no proxy, no decompression. Every answer is bounded in
// bytes and time. Callbacks run in dispatch(), outside of libcurl, and may start and stop exchanges.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/base/secret.h"
#include "svc/run/loop.h"

namespace cstl::kubernetes {

// PEM, with its final NUL; empty when there is none.
struct Identity {
  std::vector<uint8_t> ca;
  std::vector<uint8_t> certificate;
  std::unique_ptr<SecretBuffer> key;
};

struct Reply {
  Status transport;          // errors: api_unreachable, timeout, api_garbage (not HTTP, or more than max_answer)
  long status = 0;           // HTTP status when transport is good
  std::string body;          // of a stream: only when the status is not 200
};

struct Exchange {
  Status refused;            // an error: nothing is sent, done() gets it
  const char* method = "GET";
  std::string url;
  std::string token;         // bearer token, may be empty
  const char* content_type = nullptr;
  std::string body;
  size_t max_answer = 0;
  int timeout_ms = 0;        // 0: none, for a stream
  int silence_ms = 0;        // for a stream: no byte for so long ends it; 0: no such limit
  size_t max_line = 0;       // > 0: a stream, whose 200 answer goes to on_line line by line
  std::function<void(std::string line)> on_line;
  std::function<void(Reply)> done;
};

class Transfers : public Participant {
 public:
  using Id = uint64_t;
  // Borrows `identity`. Errors: no_memory.
  static Result<std::unique_ptr<Transfers>> create(const Identity& identity, int connect_ms, int connections);
  ~Transfers() override;

  // done() comes later, never from inside start().
  Id start(Exchange exchange);
  void stop(Id id);          // nothing of it is called any more; unknown ids are fine

  void prepare(PollSet& set) override;
  void dispatch(const PollSet& set) override;

 private:
  Transfers();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::kubernetes
