// What can make evidence on this machine: its TPM (attest/tpm/issue.h), or the process that holds it
// (svc/attester/client.h); TEEs follow with the same interface.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "attest/variant.h"
#include "crypto/hash.h"
#include "crypto/tls.h"

namespace cstl {

// What the evidence of one side of an aTLS session signs (docs/wire/atls.md):
//   binding = SHA-256("cstl-atls-1" ‖ side ‖ session)
// The side stands apart, so that whoever holds the TPM can vouch for servers and never for a client.
struct Binding {
  TlsSide side = TlsSide::client;
  Digest32 session{};
  Result<Digest32> digest() const;
};

using EvidenceList = std::vector<std::vector<uint8_t>>;

// An answer that another process is making. Ended early by its destruction.
class PendingAnswer {
 public:
  virtual ~PendingAnswer() = default;
  // What to wait for, as of a Session.
  virtual int fd() const = 0;
  virtual short events() const = 0;
  virtual int64_t deadline() const = 0;
  // Never blocks. nullopt: not yet. One entry per binding, or the one activation.
  virtual std::optional<Result<EvidenceList>> step() = 0;
};

class Attester {
 public:
  virtual ~Attester() = default;
  virtual Variant variant() const = 0;
  virtual size_t max_bindings() const = 0;   // of one quote
  // One hardware quote for all bindings (1..max_bindings()); one encoded Evidence (attest/evidence.h) per binding, in order.
  virtual Result<EvidenceList> quote(const std::vector<Binding>& bindings) = 0;
  // Answers a credential challenge (attest/tpm/credential.h). Errors: activation_failed, unsupported.
  virtual Result<std::vector<uint8_t>> activate(Bytes credential) = 0;
  // The same without waiting, where that is possible; nullptr: only the calls above.
  virtual std::unique_ptr<PendingAnswer> begin_quote(const std::vector<Binding>&) { return nullptr; }
  virtual std::unique_ptr<PendingAnswer> begin_activate(Bytes) { return nullptr; }
};

// One that makes its evidence in this process.
class LocalAttester : public Attester {
 public:
  Result<EvidenceList> quote(const std::vector<Binding>& bindings) final;
  // The same for the digests of bindings (1..65536): one hardware quote, one encoded Evidence for each of the first `wanted`,
  // in order.
  virtual Result<EvidenceList> sign(const std::vector<Digest32>& bindings, size_t wanted = SIZE_MAX) = 0;
};

}  // namespace cstl
