// The node's side of join and rejoin (svc/wire/join.h), against one joinservice, over mutual aTLS.
//
// What a node accepts from a joinservice: evidence of a machine inside a cluster whose measurements equal the node's
// own (attest/platform/own.h), or that matches a reference file baked into the image. The node pins no makers of TPMs
// unless that file names them, so an unendorsed AK is accepted otherwise where the variant may have one. The
// joinservice must demand evidence in turn. A ticket is returned only after both verdicts passed.
//
// Nothing here logs. The blocking forms block up to their deadline, and for each TPM quote.
#pragma once

#include <string>

#include "attest/atls/session.h"
#include "attest/platform/own.h"
#include "crypto/base/address.h"
#include "svc/wire/join.h"

namespace cstl {

constexpr const char* kBakedReferenceValues = "/etc/cstl/reference-values.json";
constexpr uint16_t kJoinPort = 9090;

// What this node accepts: the file at `baked_path` if it exists, else what `attester` measures now (own_image()).
// `now`: Unix seconds. Errors: those of own_image() and of ReferenceValues::parse (a baked file that is bad is an
// error, never ignored), io. `problem` says which in words.
Result<ReferenceValues> accepted_from_joinservice(LocalAttester& attester, const char* baked_path, int64_t now,
                                                  std::string* problem);

// Who this node is to its peers; borrowed, and must outlive every attempt that uses it.
struct JoinParty {
  const TlsIdentity* identity = nullptr;
  QuoteBatch* attester = nullptr;
  const ReferenceValues* accepted = nullptr;
  int64_t now = 0;                     // Unix seconds, for the validity windows of `accepted`
};

// What a node offers besides its evidence, for a cluster with Kubernetes (svc/wire/join.h: JoinRequest).
struct NodeOffer {
  std::string address;                 // its IP address as text
  std::vector<uint8_t> csr;            // of the kubelet; empty: the image has no Kubernetes
  std::array<uint8_t, 32> wireguard_key{};
};

// A ticket and the message that it borrows from. Carries secrets, wiped.
struct Joined {
  SecretBuffer body;
  JoinTicket ticket;                   // its part for Kubernetes borrows from body
};

// One attempt at one endpoint, non-blocking: poll fd() for events() until deadline(), then step(); when
// waits_for_quote(), flush the party's batch first. Ends in a ticket or an error; never retries.
class JoinAttempt {
 public:
  // Connects and asks for a JoinTicket for `disk`, as `role` and `name`. Errors: bad_value (name), io.
  static Result<std::unique_ptr<JoinAttempt>> join(const Endpoint& endpoint, const JoinParty& party, const Uuid& disk,
                                                   Role role, std::string_view name, const NodeOffer& offer = {});
  // The same for a RejoinTicket.
  static Result<std::unique_ptr<JoinAttempt>> rejoin(const Endpoint& endpoint, const JoinParty& party, const Uuid& disk);
  ~JoinAttempt();

  int fd() const;
  short events() const;                // poll(2); 0 while only a quote is awaited
  int64_t deadline() const;            // monotonic_ms()
  bool waits_for_quote() const;

  // True once the ticket is there. Errors end the attempt: timeout, closed, io, tls_failed, peer_refused, peer_error
  // (foreign: the peer's code), frame_*, and every code of appraisal when the joinservice is not acceptable.
  Result<bool> step();
  // After step() gave true, once; a ticket of the other kind is an internal error.
  Result<Joined> take_join();
  Result<RejoinTicket> take_rejoin();

  // For messages: what the peer said, or the verdict on it; sanitised, may be empty.
  std::string explanation() const;

 private:
  JoinAttempt();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Blocking forms: one attempt, at most `timeout_ms` in all. `explanation` (may be null) as above.
Result<Joined> join(const Endpoint& endpoint, const JoinParty& party, const Uuid& disk, Role role, std::string_view name,
                    int timeout_ms, std::string* explanation, const NodeOffer& offer = {});
Result<RejoinTicket> rejoin(const Endpoint& endpoint, const JoinParty& party, const Uuid& disk, int timeout_ms,
                            std::string* explanation);

}  // namespace cstl
