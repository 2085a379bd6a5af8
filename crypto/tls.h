// TLS 1.3 as aTLS 1 profiles it (policy/tls/profile, docs/attestation.md): x25519 or P-256; AES-128-GCM, AES-256-GCM or
// ChaCha20-Poly1305; ECDSA P-256; both sides present a self-signed certificate; no resumption, early data or tickets.
// Certificates are not trusted for anything: attest/atls authenticates the peer by evidence bound to exporter().
#pragma once

#include <memory>
#include <vector>

#include "crypto/base/fd.h"
#include "crypto/hash.h"

namespace cstl {

enum class TlsSide : uint8_t { client = 1, server = 2 };

// A P-256 key and a self-signed certificate made for this process. Immovable once sessions use it; must outlive them.
class TlsIdentity {
 public:
  static Result<std::unique_ptr<TlsIdentity>> create();
  // For the attack tests, which need a session of an adversary who knows another process's key: takes the DER of both.
  static Result<std::unique_ptr<TlsIdentity>> from_der(Bytes private_key, Bytes certificate);
  Result<SecretBuffer> private_key_der() const;
  Bytes certificate_der() const;
  const Digest32& spki_hash() const;
  ~TlsIdentity();

 private:
  TlsIdentity();
  friend class TlsSession;
  struct State;
  std::unique_ptr<State> state_;
};

enum class TlsWant : uint8_t { nothing, read, write };

// One session over a non-blocking descriptor, which it owns. Pinned (mbedTLS contexts point into each other).
class TlsSession {
 public:
  static Result<std::unique_ptr<TlsSession>> create(TlsSide side, Fd fd, const TlsIdentity& identity);
  ~TlsSession();

  // Each makes progress and says what it waits for; `nothing` means done. Errors: tls_failed, closed.
  Result<TlsWant> handshake();
  struct Transfer {
    size_t bytes;    // > 0 exactly when want is nothing
    TlsWant want;
  };
  Result<Transfer> read(MutBytes out);   // closed after the peer's close_notify or end of file
  Result<Transfer> write(Bytes data);    // may take fewer bytes; after `want` repeat with the same data
  // Best effort close_notify.
  void close();

  int fd() const;
  // After handshake(): RFC 8446, 7.5 keying material, label "EXPORTER-cstl-atls-1", no context, 32 bytes. Public to both
  // ends, secret to others.
  Result<Secret<32>> exporter() const;
  const Digest32& own_spki_hash() const;
  Result<Digest32> peer_spki_hash() const;  // after handshake()
  bool has_buffered_input() const;          // bytes that poll() on the descriptor would not show

 private:
  TlsSession();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl
