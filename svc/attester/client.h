// Evidence from this machine's attester (svc/attester/main.cc), for services: they hold no TPM, and no TPM library.
//
// One connection per request, so an attester that starts again is found again. Only server sides get evidence: a Binding
// of a client gives `unsupported`. Answers are read bounded and decoded before they are used. Not thread-safe; never logs.
#pragma once

#include <string>

#include "attest/attester.h"
#include "svc/wire/attester.h"

namespace cstl {

class SocketAttester final : public Attester {
 public:
  // Asks the attester for its variant, for up to `patience_ms` while there is none or it is busy: it may be starting.
  // `timeout_ms`: of each later request. Errors: not_found, denied, io, timeout, and those of an answer, as below.
  static Result<std::unique_ptr<SocketAttester>> create(std::string socket, int patience_ms, int timeout_ms = 20000);

  Variant variant() const override { return variant_; }
  size_t max_bindings() const override { return kMaxAttestSessions; }
  // Both block up to the timeout. Errors: not_found, denied, io, timeout, closed, frame_*, evidence_malformed, and the
  // attester's own code (peer_credentials, tpm_failed, activation_failed, ...).
  Result<EvidenceList> quote(const std::vector<Binding>& bindings) override;
  Result<std::vector<uint8_t>> activate(Bytes credential) override;
  // Never nullptr: what fails at once is the answer.
  std::unique_ptr<PendingAnswer> begin_quote(const std::vector<Binding>& bindings) override;
  std::unique_ptr<PendingAnswer> begin_activate(Bytes credential) override;

 private:
  SocketAttester(std::string socket, int timeout_ms) : socket_(std::move(socket)), timeout_ms_(timeout_ms) {}
  std::string socket_;
  int timeout_ms_;
  Variant variant_ = Variant::qemu_vtpm;
};

}  // namespace cstl
