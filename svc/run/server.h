// A listener whose connections are aTLS Sessions, and the request table that says what they may ask.
//
// Guarantees: at most `max_sessions` at a time; a few more are taken through TLS only to be told too_many_sessions, the
// rest waits in the kernel's backlog. Every session ends at the deadline of its phase. All sessions that wait for a
// quote when the next one starts share it; where another process makes it, sessions go on meanwhile. In the request phase
// only frames of the table pass, each at most `per_session` times and only after the type it names in `after`; anything
// else ends the session with an error frame (frame_type). Requests before both verdicts never reach a handler (Session
// refuses them). Never logs: `on_end` tells the program how each session ended.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attest/atls/session.h"
#include "svc/run/loop.h"

namespace cstl {

// One request, for its handler. Everything is borrowed for the call; `body` may carry secrets and is wiped afterwards.
struct Exchange {
  uint64_t id;            // of the session, for Server::session()
  Session& session;       // send() what answers the request
  Bytes body;
  std::string text;       // set together with an error: what the error frame says instead of the code's own words
};

struct RequestRule {
  FrameType type;
  unsigned per_session;                          // how often a session may send it, at least 1
  std::function<Status(Exchange&)> handler;      // an error goes to the peer as error frame and ends the session
  std::optional<FrameType> after = std::nullopt; // a type that must have been answered before
};

// How a session ended.
struct SessionEnd {
  uint64_t id;
  std::string peer;              // "10.0.2.2:40112"; empty for other socket families
  Error error;                   // closed: the peer left
  bool opened;                   // both verdicts passed: it came to its requests
  bool served;                   // at least one request was answered without error
  double appraisal_seconds;      // of the peer's evidence; 0: there was none
  const Verdict* verdict;        // nullptr when nothing was demanded or no evidence came
  const std::string& peer_text;  // what the peer said, sanitised
};

struct ServerConfig {
  const TlsIdentity* identity = nullptr;    // outlives the server
  QuoteBatch* attester = nullptr;           // outlives the server; shared by servers of one loop
  const AppraisalPolicy* demand = nullptr;  // outlives the server; its content may change between turns of the loop
  size_t max_sessions = 128;
  int handshake_ms = 10000;                 // as in SessionConfig
  int evidence_ms = 30000;
  int request_ms = 30000;
  std::vector<RequestRule> requests;
  std::function<void(const SessionEnd&)> on_end;  // may be empty
};

class Server final : public Participant {
 public:
  // Owns `listener` (made non-blocking). Errors: bad_value (no identity, an empty table or a rule without a handler), io.
  static Result<std::unique_ptr<Server>> create(Fd listener, ServerConfig config);
  ~Server() override;

  void prepare(PollSet& set) override;
  void dispatch(const PollSet& set) override;

  // Takes over a connected descriptor as if it had been accepted (socket pairs; descriptors that were handed over).
  Status adopt(Fd connection, std::string peer);

  // For answers that come later than the handler's return: nullptr once the session is gone. Between turns of the loop
  // only; what is sent moves with the next turn.
  Session* session(uint64_t id);
  size_t sessions() const { return slots_.size(); }
  // Takes no new connections; those that exist go on.
  void stop_listening();

 private:
  struct Slot;
  explicit Server(ServerConfig config);
  void accept_some();
  void advance(Slot& slot);
  void serve(Slot& slot, const Frame& frame);
  void refuse(Slot& slot, Error error, std::string_view text);
  void sweep();

  ServerConfig config_;
  Fd listener_;
  size_t listener_position_ = SIZE_MAX;
  size_t quote_position_ = SIZE_MAX;
  int64_t accept_again_ = 0;  // after a failed accept: not before this time
  uint64_t next_ = 1;
  std::vector<std::unique_ptr<Slot>> slots_;
};

// "10.0.2.2:40112" of a connected TCP socket; empty for other families.
std::string peer_name(int fd);

}  // namespace cstl
