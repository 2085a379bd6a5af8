#include "attest/atls/session.h"

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "attest/atls/stream.h"
#include "attest/tpm/credential.h"
#include "attest/tpm/structures.h"
#include "crypto/x509.h"

namespace cstl {

namespace {

TlsSide other(TlsSide side) { return side == TlsSide::client ? TlsSide::server : TlsSide::client; }

// What a peer says is shown to people: printable ASCII only.
std::string sanitised(Bytes text) {
  std::string out;
  for (uint8_t c : text) out.push_back(c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?');
  return out;
}

Result<SecretBuffer> encode_verdict(Code code, std::string_view text) {
  VerdictMessage message;
  message.code = static_cast<uint16_t>(code);
  message.text = Bytes(text.substr(0, kMaxErrorText));
  SecretBuffer out(4 + message.text.size());
  TRY(message.encode(out.space()));
  return out;
}

}  // namespace

Result<Digest32> atls_session(const Secret<32>& exporter, const Digest32& demander_nonce, const Digest32& attester_spki_hash) {
  return sha256({exporter.declassify(), demander_nonce, attester_spki_hash});
}

Result<Digest32> atls_binding(TlsSide attesting_side, const Secret<32>& exporter, const Digest32& demander_nonce,
                              const Digest32& attester_spki_hash) {
  TRY_LET(Digest32 session, atls_session(exporter, demander_nonce, attester_spki_hash));
  return Binding{attesting_side, session}.digest();
}

struct Session::Impl {
  Impl(const SessionConfig& c, std::unique_ptr<TlsSession> tls) : config(c), stream(std::move(tls)) {}

  SessionConfig config;
  FrameStream stream;
  State state = State::handshake;
  int64_t deadline = 0;
  Status ended;                      // why it is closed
  bool closing = false;              // refuse(): flush, then close
  bool told = false;                 // the peer ended it, by its verdict or an error frame
  bool unread = false;               // a frame was taken since the last step(): more may be buffered inside TLS

  Secret<32> exporter;
  Digest32 peer_spki{};
  Digest32 nonce{};
  std::optional<Hello> peer;         // the peer's hello
  uint64_t ticket = 0;               // our evidence or activation, in the making
  bool got_evidence = false, got_challenge = false, got_verdict = false;
  bool evidence_sent = false, judged = false, verdict_sent = false;
  std::optional<Secret<32>> challenge;  // sent, and not yet answered
  std::optional<Verdict> verdict;
  double appraisal_seconds = 0;
  std::string peer_text;
  std::optional<Frame> inbox;        // one received request or response; reading pauses until it is taken

  void enter(State next, int milliseconds) {
    state = next;
    deadline = monotonic_ms() + milliseconds;
  }

  Status start() {
    TRY_LET(exporter, stream.tls().exporter());
    TRY_LET(peer_spki, stream.tls().peer_spki_hash());
    TRY(random_bytes(nonce));
    Hello hello;
    hello.nonce = nonce;
    if (config.demand != nullptr) {
      hello.demanded = config.demand->values != nullptr ? config.demand->values->variants() : 0;
      // Demanding nothing must be asked for by a null pointer, never by an empty policy.
      if (hello.demanded == 0) return fail(Code::reference_empty, "atls.demand");
    }
    if (config.attester != nullptr) hello.offered = variant_bit(config.attester->variant());
    std::array<uint8_t, 40> body;
    TRY_LET(Bytes encoded, hello.encode(body));
    TRY(stream.queue(FrameType::hello, encoded));
    enter(State::hello, config.handshake_ms);
    return success();
  }

  // Which types may come now; the body has not been read yet. One row per message of the protocol.
  Status permit(FrameType type) const {
    const bool request = static_cast<uint8_t>(type) >= 16;
    if (type == FrameType::error) return success();
    if (state == State::open) return request ? success() : Status(fail(Code::frame_type, "atls.permit.open"));
    if (request) return fail(Code::not_attested, "atls.permit.request");
    bool permitted = false;
    switch (type) {
      case FrameType::hello: permitted = !peer; break;
      case FrameType::evidence: permitted = peer && config.demand != nullptr && !got_evidence; break;
      case FrameType::challenge: permitted = evidence_sent && !got_challenge && !got_verdict; break;
      case FrameType::activation: permitted = challenge.has_value(); break;
      case FrameType::verdict: permitted = peer && !got_verdict; break;
      default: break;
    }
    return permitted ? success() : Status(fail(Code::frame_type, "atls.permit"));
  }

  Status handle(Frame frame) {
    const Bytes body = frame.body.declassify();
    switch (frame.type) {
      case FrameType::hello: return on_hello(body);
      case FrameType::evidence: return on_evidence(body);
      case FrameType::challenge: return on_challenge(body);
      case FrameType::activation: return on_activation(body);
      case FrameType::verdict: return on_verdict(body);
      case FrameType::error: return on_error(body);
      default: break;
    }
    inbox.emplace(std::move(frame));
    deadline = monotonic_ms() + config.request_ms;
    return success();
  }

  Status on_hello(Bytes body) {
    TRY_LET(peer, Hello::decode(body));
    if (config.demand != nullptr) {
      if (peer->offered == 0) return fail(Code::not_attested, "atls.peer_offers_none");
      if ((peer->offered & config.demand->values->variants()) == 0) return fail(Code::variant_unknown, "atls.offered");
    } else {
      judged = true;
    }
    if (peer->demanded == 0) {
      if (config.require_attesting) return fail(Code::peer_refused, "atls.peer_demands_none");
    } else {
      if (config.attester == nullptr) return fail(Code::evidence_demanded, "atls.demanded");
      if ((peer->demanded & variant_bit(config.attester->variant())) == 0) {
        return fail(Code::variant_unknown, "atls.demanded");
      }
      TRY_LET(Digest32 session, atls_session(exporter, peer->nonce, stream.tls().own_spki_hash()));
      ticket = config.attester->add(Binding{config.side, session});
    }
    enter(State::attest, config.evidence_ms);
    return conclude();
  }

  Status on_evidence(Bytes body) {
    got_evidence = true;
    TRY_LET(Digest32 binding, atls_binding(other(config.side), exporter, nonce, peer_spki));
    if (config.on_evidence) config.on_evidence(binding, body);
    const double began = monotonic_seconds();
    verdict = appraise(body, binding, *config.demand);
    appraisal_seconds = monotonic_seconds() - began;
    if (!verdict->passed()) return fail(verdict->code, "atls.evidence");
    // An endorsement says that a TPM is genuine; only activation says that this AK is inside it.
    if (verdict->activation) return send_challenge(body);
    judged = true;
    return conclude();
  }

  Status send_challenge(Bytes body) {
    TRY_LET(Evidence evidence, Evidence::decode(body));
    TRY_LET(PublicKey ek, certificate_key(evidence.ek_certificate));
    auto name = tpm::name_of(evidence.ak_public);
    if (!name.ok()) return name.error();
    Secret<32> secret;
    TRY(random_bytes(secret.fill()));
    TRY_LET(std::vector<uint8_t> credential, tpm::make_credential(ek, *name, secret.declassify()));
    TRY(stream.queue(FrameType::challenge, credential));
    challenge = std::move(secret);
    return success();
  }

  Status on_activation(Bytes body) {
    const bool proved = ct_equal(body, challenge->declassify());
    challenge.reset();
    if (!proved) {
      verdict->code = Code::activation_failed;
      verdict->endorsed = false;
      verdict->claims.push_back(Claim{"ak.activation", ClaimResult::failed, "the secret of the challenge", "another",
                                      code_what(Code::activation_failed), "TPM"});
      return fail(Code::activation_failed, "atls.activation");
    }
    verdict->claims.push_back(Claim{"ak.activation", ClaimResult::passed, "", "", "", ""});
    judged = true;
    return conclude();
  }

  Status on_challenge(Bytes body) {
    got_challenge = true;
    if (body.empty()) return fail(Code::activation_failed, "atls.challenge");
    ticket = config.attester->add_activation(body);
    return success();
  }

  Status on_verdict(Bytes body) {
    TRY_LET(VerdictMessage message, VerdictMessage::decode(body));
    peer_text = sanitised(message.text);
    told = message.code != 0;
    if (told) return fail(Code::peer_refused, "atls.verdict", Origin::cstl, message.code);
    // A passing verdict is the peer's last message of this phase: its own evidence and our answers came before.
    const bool early = (peer->demanded != 0 && !evidence_sent) || ticket != 0 || (config.demand != nullptr && !got_evidence);
    if (early) return fail(Code::frame_type, "atls.verdict.early");
    got_verdict = true;
    return conclude();
  }

  Status on_error(Bytes body) {
    TRY_LET(ErrorMessage message, ErrorMessage::decode(body));
    peer_text = sanitised(message.text);
    told = true;
    return fail(Code::peer_error, "atls.peer_error", Origin::cstl, message.code);
  }

  Status take_quote() {
    if (ticket == 0) return success();
    std::optional<Result<std::vector<uint8_t>>> answer = config.attester->take(ticket);
    if (!answer) return success();
    ticket = 0;
    TRY_LET(std::vector<uint8_t> bytes, std::move(*answer));
    if (evidence_sent) {
      Status queued = stream.queue(FrameType::activation, bytes);
      wipe(bytes);
      return queued;
    }
    evidence_sent = true;
    TRY(stream.queue(FrameType::evidence, bytes));
    return conclude();
  }

  // Our verdict follows once the peer's evidence has passed and ours is out; two verdicts open the request phase.
  Status conclude() {
    if (!verdict_sent && judged && (peer->demanded == 0 || evidence_sent)) {
      TRY_LET(SecretBuffer body, encode_verdict(Code::ok, ""));
      TRY(stream.queue(FrameType::verdict, body.declassify()));
      verdict_sent = true;
      enter(State::verdict, config.evidence_ms);
    }
    if (verdict_sent && got_verdict) enter(State::open, config.request_ms);
    return success();
  }

  Status advance() {
    unread = false;
    if (state == State::handshake) {
      TRY_LET(bool done, stream.handshake());
      if (!done) return success();
      TRY(start());
      TRY(stream.write());  // whatever comes next, the peer gets our hello first
    }
    if (closing) {
      TRY(stream.write());
      if (stream.drained()) shut(fail(Code::closed, "atls.refused"));
      return success();
    }
    auto permitted = [this](FrameType type) { return permit(type); };
    // Reading comes first: a peer that gives up says why before it closes, and a failed write would hide that.
    for (;;) {
      TRY(take_quote());
      std::optional<Frame> frame;
      if (!inbox) {
        TRY_LET(frame, stream.read(permitted));
      }
      if (!frame) break;
      TRY(handle(std::move(*frame)));
    }
    const bool had_output = !stream.drained();
    TRY(stream.write());
    if (had_output && stream.drained() && state == State::open) deadline = monotonic_ms() + config.request_ms;
    return success();
  }

  void shut(Error why) {
    if (state == State::closed) return;
    stream.close();
    leave(why);
  }

  void leave(Error why) {
    if (ticket != 0 && config.attester != nullptr) config.attester->forget(ticket);
    ticket = 0;
    challenge.reset();
    inbox.reset();
    unless_activated();
    state = State::closed;
    ended = why;
  }

  // Whoever looks at the verdict of a session that ended early must not take an endorsement for what it is not yet.
  void unless_activated() {
    if (judged || !verdict || !verdict->passed()) return;
    verdict->code = Code::activation_failed;
    verdict->endorsed = false;
    verdict->roles = 0;
    verdict->claims.push_back(Claim{"ak.activation", ClaimResult::failed, "the secret of the challenge", "no answer",
                                    code_what(Code::activation_failed), "TPM"});
  }

  void end(Error why) {
    if (state == State::closed) return;
    const bool talking = state != State::handshake && !told && why.code != Code::closed && why.code != Code::tls_failed;
    const bool refused = verdict && !verdict->passed();
    Result<SecretBuffer> body = refused ? encode_verdict(verdict->code, verdict->summary())
                                        : encode_verdict(why.code, code_what(why.code));
    if (talking && body.ok()) {
      stream.last_words(refused ? FrameType::verdict : FrameType::error, body->declassify());
    } else {
      stream.close();
    }
    leave(why);
  }
};

Session::Session() = default;

Session::~Session() {
  if (impl_) impl_->shut(fail(Code::closed, "atls.session"));
}

Result<std::unique_ptr<Session>> Session::create(Fd fd, const SessionConfig& config) {
  if (config.identity == nullptr) return fail(Code::internal, "atls.identity");
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("atls.nonblock");
  // The phases are ping-pong. Not a TCP socket: no matter.
  int on = 1;
  (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  TRY_LET(std::unique_ptr<TlsSession> tls, TlsSession::create(config.side, std::move(fd), *config.identity));
  std::unique_ptr<Session> session(new Session());
  session->impl_ = std::make_unique<Impl>(config, std::move(tls));
  session->impl_->enter(State::handshake, config.handshake_ms);
  return session;
}

Status Session::step() {
  Impl& s = *impl_;
  if (s.state == State::closed) return s.ended;
  Status done = s.advance();
  if (done.ok() && s.state != State::closed && monotonic_ms() >= s.deadline) done = fail(Code::timeout, "atls.phase");
  if (!done.ok()) s.end(done.error());
  return done;
}

Session::State Session::state() const { return impl_->state; }
int Session::fd() const { return impl_->stream.tls().fd(); }

short Session::events() const {
  const Impl& s = *impl_;
  if (s.state == State::closed) return 0;
  return s.stream.events(s.state == State::handshake, !s.inbox && !s.closing);
}

int64_t Session::deadline() const { return impl_->unread ? 0 : impl_->deadline; }
bool Session::waits_for_quote() const { return impl_->ticket != 0; }
bool Session::quote_ready() const { return impl_->ticket != 0 && impl_->config.attester->done(impl_->ticket); }
bool Session::drained() const { return impl_->stream.drained(); }

Result<std::optional<Frame>> Session::receive() {
  Impl& s = *impl_;
  if (s.state == State::closed) return s.ended.error();
  if (!open()) return fail(Code::not_attested, "atls.receive");
  if (!s.inbox && s.unread) TRY(step());
  std::optional<Frame> frame = std::move(s.inbox);
  s.inbox.reset();
  s.unread = frame.has_value();
  return frame;
}

Status Session::send(FrameType type, Bytes body) {
  Impl& s = *impl_;
  if (s.state == State::closed) return s.ended;
  if (!open() || s.closing) return fail(Code::not_attested, "atls.send");
  if (static_cast<uint8_t>(type) < 16 || type == FrameType::error) return fail(Code::frame_type, "atls.send");
  return s.stream.queue(type, body);
}

void Session::refuse(Code code, std::string_view text) {
  Impl& s = *impl_;
  if (s.state == State::closed || s.closing) return;
  Result<SecretBuffer> body = encode_verdict(code, text);
  if (s.state == State::handshake || !body.ok() || !s.stream.queue(FrameType::error, body->declassify()).ok()) {
    s.shut(fail(Code::closed, "atls.refused"));
    return;
  }
  s.closing = true;
  s.inbox.reset();
  s.deadline = monotonic_ms() + s.config.handshake_ms;
}

const Verdict* Session::peer_verdict() const { return impl_->verdict ? &*impl_->verdict : nullptr; }
double Session::appraisal_seconds() const { return impl_->appraisal_seconds; }
const Secret<32>& Session::exporter() const { return impl_->exporter; }
const std::string& Session::peer_text() const { return impl_->peer_text; }

}  // namespace cstl
