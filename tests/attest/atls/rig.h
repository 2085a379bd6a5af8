// Both ends of aTLS sessions in one thread, with real TPM evidence; and a rogue peer that says whatever a test wants.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "attest/atls/session.h"
#include "attest/atls/stream.h"
#include "attest/tpm/issue.h"
#include "tests/harness/swtpm.h"

namespace cstl::test {

std::pair<Fd, Fd> socket_pair();

// The shared TPM with its issuer, what a verifier expects of it, and an identity for each side.
struct Rig {
  std::unique_ptr<tpm::Device> device;
  std::unique_ptr<tpm::Issuer> issuer;
  ReferenceValues values;      // endorsement not demanded
  ReferenceValues endorsed;    // demanded, to the TPM's own root
  AppraisalPolicy policy, endorsed_policy;
  std::unique_ptr<TlsIdentity> client, server;

  static Rig& get();

  // The common case: `demanding` demands, and the other attests through `batch`.
  SessionConfig config(TlsSide side, const AppraisalPolicy* demand, QuoteBatch* batch);
};

ReferenceValues reference(const std::array<Digest32, kPcrCount>& pcrs, const std::vector<uint8_t>* root);

// Steps all of `ends` (and flushes `batch` while it is wanted) until `done`, at most five seconds; true when done.
bool pump(const std::vector<Session*>& ends, QuoteBatch* batch, const std::function<bool()>& done);

// Steps one end until it is closed; the error it ended with.
Error run_to_end(Session& session, QuoteBatch* batch);

// A peer of `victim` with a TLS session of its own, that sends any frames or bytes.
class Rogue {
 public:
  Rogue(TlsSide side, const TlsIdentity& identity, const SessionConfig& victim_config, QuoteBatch* batch);

  Session& victim() { return *victim_; }
  bool handshake();
  void send(FrameType type, Bytes body) { send_bytes(encode_frame(type, body)->declassify()); }
  void send_bytes(Bytes bytes);      // gives up silently once the victim has closed
  // The next frame of the victim; nullopt once it has closed or after five seconds.
  std::optional<Frame> next();
  void send_hello(const Digest32& nonce, VariantSet demanded, VariantSet offered);
  void send_verdict(Code code = Code::ok);
  const TlsSession& tls() const { return *tls_; }
  // The binding that evidence of this peer must sign, for a victim that sent `nonce`.
  Digest32 binding(const Digest32& nonce) const;

 private:
  void step();
  TlsSide side_;
  const TlsIdentity& identity_;
  QuoteBatch* batch_;
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<Session> victim_;
};

}  // namespace cstl::test
