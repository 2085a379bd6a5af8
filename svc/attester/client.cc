#include "svc/attester/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "attest/atls/messages.h"
#include "attest/merkle.h"
#include "crypto/base/fd.h"
#include "svc/run/local_server.h"

namespace cstl {

namespace {

constexpr int kRetryMs = 200;

// One request and its answer, in as many steps as the socket takes.
class Exchanged {
 public:
  Exchanged(Result<Fd> connection, Result<SecretBuffer> request, int timeout_ms)
      : connection_(std::move(connection)), request_(std::move(request)), deadline_(monotonic_ms() + timeout_ms) {}

  int fd() const { return connection_.ok() ? connection_->get() : -1; }
  short events() const { return sending() ? POLLOUT : POLLIN; }
  int64_t deadline() const { return connection_.ok() && request_.ok() ? deadline_ : 0; }

  std::optional<Result<Frame>> step() {
    if (!connection_.ok()) return connection_.error();
    if (!request_.ok()) return request_.error();
    Result<bool> done = move();
    if (!done.ok()) return done.error();
    if (*done) return Frame{header_->type, std::move(input_)};
    if (monotonic_ms() >= deadline_) return fail(Code::timeout, "attester.answer");
    return std::nullopt;
  }

 private:
  bool sending() const { return request_.ok() && sent_ < request_->size(); }

  Result<bool> move() {
    while (sending()) {
      Bytes left = request_->declassify().skip(sent_);
      ssize_t n = ::send(fd(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return false;
      if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) break;  // refused: the reason can be read
      if (n < 0) return fail_errno("attester.send");
      sent_ += static_cast<size_t>(n);
    }
    for (;;) {
      MutBytes space = input_.space();
      if (filled_ == space.size()) {
        if (header_) return answered();
        TRY_LET(header_, FrameHeader::decode(input_.declassify()));
        input_ = SecretBuffer(header_->body);
        filled_ = 0;
        continue;
      }
      ssize_t n = ::recv(fd(), space.data() + filled_, space.size() - filled_, MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return false;
      if (n == 0 || (n < 0 && errno == ECONNRESET)) return fail(Code::closed, "attester.receive");
      if (n < 0) return fail_errno("attester.receive");
      filled_ += static_cast<size_t>(n);
    }
  }

  Result<bool> answered() {
    if (header_->type != FrameType::error) return true;
    TRY_LET(ErrorMessage message, ErrorMessage::decode(input_.declassify()));
    Code code = code_from_number(message.code);
    return fail(code == Code::ok ? Code::peer_error : code, "attester.refused");
  }

  Result<Fd> connection_;
  Result<SecretBuffer> request_;
  int64_t deadline_;
  size_t sent_ = 0, filled_ = 0;
  SecretBuffer input_{kFrameHeader};
  std::optional<FrameHeader> header_;
};

// The evidence of the first session, for each of them.
Result<EvidenceList> evidence_for(const std::vector<Binding>& bindings, Bytes first) {
  std::vector<Digest32> leaves(bindings.size());
  for (size_t i = 0; i < bindings.size(); ++i) {
    TRY_LET(leaves[i], bindings[i].digest());
  }
  TRY_LET(MerkleTree tree, MerkleTree::build(leaves));
  TRY_LET(Evidence evidence, Evidence::decode(first));
  TRY_LET(std::vector<uint8_t> own, tree.proof(0));
  if (!equal(own, evidence.merkle)) return fail(Code::merkle_path, "attester.evidence");
  EvidenceList out;
  for (size_t i = 0; i < bindings.size(); ++i) {
    TRY_LET(std::vector<uint8_t> proof, tree.proof(i));
    evidence.merkle = proof;
    std::vector<uint8_t> encoded(first.size() - own.size() + proof.size());
    TRY_LET(Bytes used, evidence.encode(encoded));
    encoded.resize(used.size());
    out.push_back(std::move(encoded));
  }
  return out;
}

Result<SecretBuffer> attest_frame(const std::vector<Binding>& bindings) {
  std::vector<uint8_t> sessions;
  for (const Binding& binding : bindings) {
    if (binding.side != TlsSide::server) return fail(Code::unsupported, "attester.side");
    sessions.insert(sessions.end(), binding.session.begin(), binding.session.end());
  }
  std::vector<uint8_t> space(2 + sessions.size());
  TRY_LET(Bytes body, AttestRequest{sessions}.encode(space));
  return encode_frame(FrameType::attest_request, body);
}

class PendingQuote final : public PendingAnswer {
 public:
  PendingQuote(const std::string& socket, const std::vector<Binding>& bindings, int timeout_ms)
      : exchanged_(connect_local(socket), attest_frame(bindings), timeout_ms), bindings_(bindings) {}
  int fd() const override { return exchanged_.fd(); }
  short events() const override { return exchanged_.events(); }
  int64_t deadline() const override { return exchanged_.deadline(); }
  std::optional<Result<EvidenceList>> step() override {
    std::optional<Result<Frame>> frame = exchanged_.step();
    if (!frame) return std::nullopt;
    if (!frame->ok()) return frame->error();
    if ((*frame)->type != FrameType::attest_response) return fail(Code::frame_type, "attester.answer");
    return evidence_for(bindings_, (*frame)->body.declassify());
  }

 private:
  Exchanged exchanged_;
  std::vector<Binding> bindings_;
};

class PendingActivation final : public PendingAnswer {
 public:
  PendingActivation(const std::string& socket, Bytes credential, int timeout_ms)
      : exchanged_(connect_local(socket), encode_frame(FrameType::activate_request, credential), timeout_ms) {}
  int fd() const override { return exchanged_.fd(); }
  short events() const override { return exchanged_.events(); }
  int64_t deadline() const override { return exchanged_.deadline(); }
  std::optional<Result<EvidenceList>> step() override {
    std::optional<Result<Frame>> frame = exchanged_.step();
    if (!frame) return std::nullopt;
    if (!frame->ok()) return frame->error();
    if ((*frame)->type != FrameType::activate_response) return fail(Code::frame_type, "attester.answer");
    EvidenceList out;
    out.push_back((*frame)->body.declassify().copy());
    return out;
  }

 private:
  Exchanged exchanged_;
};

Result<EvidenceList> wait_for(PendingAnswer& pending) {
  for (;;) {
    if (std::optional<Result<EvidenceList>> answer = pending.step()) return std::move(*answer);
    pollfd p{pending.fd(), pending.events(), 0};
    int64_t left = std::clamp<int64_t>(pending.deadline() - monotonic_ms(), 0, INT32_MAX);
    if (poll(&p, 1, static_cast<int>(left)) < 0 && errno != EINTR) return fail_errno("attester.poll");
  }
}

Result<Variant> ask_variant(const std::string& socket, int timeout_ms) {
  TRY_LET(Fd connection, connect_local(socket));
  TRY(send_frame(connection.get(), FrameType::attest_query, {}, timeout_ms));
  TRY_LET(Frame answer, receive_frame(connection.get(), timeout_ms));
  if (answer.type != FrameType::attest_info) return fail(Code::frame_type, "attester.info");
  TRY_LET(AttestInfo info, AttestInfo::decode(answer.body.declassify()));
  return info.variant;
}

}  // namespace

Result<std::unique_ptr<SocketAttester>> SocketAttester::create(std::string socket, int patience_ms, int timeout_ms) {
  const int64_t deadline = monotonic_ms() + patience_ms;
  std::unique_ptr<SocketAttester> out(new SocketAttester(std::move(socket), timeout_ms));
  for (;;) {
    Result<Variant> variant = ask_variant(out->socket_, static_cast<int>(std::clamp<int64_t>(deadline - monotonic_ms(), 1, timeout_ms)));
    if (variant.ok()) {
      out->variant_ = *variant;
      return out;
    }
    if (variant.code() == Code::peer_error) {
      return fail(code_from_number(static_cast<uint16_t>(variant.error().foreign)), "attester.refused");
    }
    if (monotonic_ms() + kRetryMs >= deadline) return variant.error();
    poll(nullptr, 0, kRetryMs);
  }
}

std::unique_ptr<PendingAnswer> SocketAttester::begin_quote(const std::vector<Binding>& bindings) {
  return std::make_unique<PendingQuote>(socket_, bindings, timeout_ms_);
}

std::unique_ptr<PendingAnswer> SocketAttester::begin_activate(Bytes credential) {
  return std::make_unique<PendingActivation>(socket_, credential, timeout_ms_);
}

Result<EvidenceList> SocketAttester::quote(const std::vector<Binding>& bindings) { return wait_for(*begin_quote(bindings)); }

Result<std::vector<uint8_t>> SocketAttester::activate(Bytes credential) {
  TRY_LET(EvidenceList answer, wait_for(*begin_activate(credential)));
  return std::move(answer.front());
}

}  // namespace cstl
