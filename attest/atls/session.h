// aTLS 1: a TLS session whose request phase opens only after the evidence that each side demanded has passed.
//
//   binding(side) = SHA-256("cstl-atls-1" ‖ side ‖ SHA-256(exporter ‖ nonce of the demanding side ‖ SHA-256(SPKI of that side)))
//
// Order on each side: hello out; peer's hello in; evidence out if the peer demands it; peer's evidence in if we do, with a
// challenge and its activation when the evidence is endorsed by an EK; verdict out; verdict in; open. Anything else, early,
// repeated, unknown, oversize or late ends the session. A session never blocks: step() makes all progress that is possible.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attest/atls/messages.h"
#include "attest/attester.h"
#include "attest/reference/appraise.h"
#include "crypto/tls.h"

namespace cstl {

// Collects what waiting sessions need from the TPM; one quote answers all bindings that wait when it starts. Requests are
// worked on in the order of their coming, one at a time. Not thread-safe.
class QuoteBatch {
 public:
  explicit QuoteBatch(Attester& attester) : attester_(attester) {}
  Variant variant() const { return attester_.variant(); }
  Attester& attester() { return attester_; }
  uint64_t add(const Binding& binding);            // a ticket
  uint64_t add_activation(Bytes credential);       // likewise, for Attester::activate()
  void forget(uint64_t ticket);                    // the session ended
  // Something waits, and flush() would begin with it.
  bool pending() const { return !waiting_.empty() && !running_; }
  // Begins with what waits: an attester that blocks is asked until nothing waits, another one gets the next request.
  void flush();
  // The request that another process is working on, for poll(2); nullptr: none. advance() takes its answer when there is one,
  // and begins with the next. An error goes to the tickets that it hit.
  const PendingAnswer* running() const { return running_.get(); }
  void advance();
  // Told how long each answer of the attester took, and its error (ok: none). May be empty.
  std::function<void(double seconds, bool activation, Code code)> on_answer;
  bool done(uint64_t ticket) const;
  // nullopt while it waits.
  std::optional<Result<std::vector<uint8_t>>> take(uint64_t ticket);

 private:
  struct Waiting { uint64_t ticket; Binding binding; std::vector<uint8_t> credential; };
  struct Done { uint64_t ticket; Result<std::vector<uint8_t>> evidence; };
  void begin();
  void finish(Result<EvidenceList> answer);
  Attester& attester_;
  uint64_t next_ = 1;
  std::vector<Waiting> waiting_;
  std::vector<uint64_t> round_;                    // tickets of the running request; 0: forgotten
  bool activation_ = false;                        // what the running request is
  double began_ = 0;                               // when
  std::unique_ptr<PendingAnswer> running_;
  std::vector<Done> done_;                         // sorted by ticket
};

// The session part of a binding, and the binding, as above. `exporter` is not retained.
Result<Digest32> atls_session(const Secret<32>& exporter, const Digest32& demander_nonce, const Digest32& attester_spki_hash);
Result<Digest32> atls_binding(TlsSide attesting_side, const Secret<32>& exporter, const Digest32& demander_nonce,
                              const Digest32& attester_spki_hash);

struct SessionConfig {
  TlsSide side = TlsSide::client;
  const TlsIdentity* identity = nullptr;   // outlives the session
  const AppraisalPolicy* demand = nullptr; // nullptr: no evidence is demanded; read once, when the peer's evidence arrives
  QuoteBatch* attester = nullptr;          // nullptr: this side cannot attest
  std::function<void(const Digest32& binding, Bytes evidence)> on_evidence;  // the peer's, before it is appraised; may be empty
  bool require_attesting = false;          // fail (evidence_demanded… as peer_refused) if the peer does not demand ours
  int handshake_ms = 10000;                // per phase
  int evidence_ms = 30000;
  int request_ms = 30000;                  // idle time in the request phase
};

class Session {
 public:
  enum class State : uint8_t { handshake, hello, attest, verdict, open, closed };

  // Owns `fd` (made non-blocking).
  static Result<std::unique_ptr<Session>> create(Fd fd, const SessionConfig& config);
  ~Session();

  // Makes progress until it would block. An error ends the session: a verdict or error frame with code and text was
  // tried, and every later call gives the same error. Also enforces the deadline of the phase (timeout). Peer's refusal
  // of our evidence: peer_refused; its error frame: peer_error; both with the peer's code as the foreign number.
  // Evidence that does not pass: the code of peer_verdict().
  Status step();
  State state() const;
  bool open() const { return state() == State::open; }

  // What to wait for: fd(), poll(2) events (0 while only a quote is awaited), deadline in monotonic_ms().
  int fd() const;
  short events() const;
  int64_t deadline() const;
  bool waits_for_quote() const;
  bool quote_ready() const;                        // the answer waits for the next step()

  // Request phase; not_attested before it is open. receive() gives a frame when one is complete (nullopt: step again);
  // one frame is held at a time, and no more is read from the peer until it is taken.
  Result<std::optional<Frame>> receive();
  Status send(FrameType type, Bytes body);         // queued; step() moves it. frame_size, not_attested, busy
  bool drained() const;                            // nothing queued to send
  // Queues an error frame (any state after TLS); the session closes once it is sent: state() is then closed, the step()
  // that did it returns success and later ones Code::closed. Before TLS is up it closes at once.
  void refuse(Code code, std::string_view text);

  // nullptr when nothing was demanded, or before evidence came. Of a session that ended before the peer answered the challenge
  // of its endorsed key: activation_failed, whatever ended it.
  const Verdict* peer_verdict() const;
  double appraisal_seconds() const;                // what the peer's evidence took to appraise; 0: there was none
  const Secret<32>& exporter() const;              // after the handshake; for owner signatures over this session
  const std::string& peer_text() const;            // text of the peer's verdict or error frame, sanitised; for messages

 private:
  Session();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Blocking drivers for clients: step and poll (and flush the batch) until the session is open, a frame has arrived, or
// everything is sent. Errors: timeout and those of step().
Status drive_to_open(Session& session, QuoteBatch* batch);
Result<Frame> drive_to_frame(Session& session, FrameType expected);   // frame_type for any other; peer_error for an error frame
Result<Frame> drive_to_any_frame(Session& session);   // the next frame of any type
Status drive_to_drained(Session& session);

// TCP, literal addresses only ("10.0.2.2:9090", "[::1]:9090"). Errors: bad_value, timeout, io.
Result<Fd> connect_tcp(std::string_view endpoint, int timeout_ms);
Result<Fd> listen_tcp(std::string_view endpoint, int backlog);

}  // namespace cstl
