// The init request of `cstl init` (svc/wire/init.h): checked in full before anything on the machine changes.
// The server attests and demands nothing; the client proves the init secret and signs as owner over this session.
#pragma once

#include <functional>

#include "boot/bootstrapper/admission.h"
#include "svc/run/server.h"

namespace cstl {

// Form, init secret (constant time), owner signature over `exporter`, reference values: in this order, so that who does
// not know the init secret learns nothing else. Errors: those of InitRequest::decode, init_secret, owner_signature, and
// those of Admission::from_init; `text` then says more where there is more to say.
Result<Admission> check_init_request(Bytes body, const Secret<32>& exporter, const Digest32& init_secret_sha256,
                                     const Metadata& metadata, const Uuid& disk, int64_t now, std::string* text);

struct InitServerConfig {
  const TlsIdentity* identity = nullptr;   // outlives the server
  QuoteBatch* attester = nullptr;          // outlives the server
  const Metadata* metadata = nullptr;      // outlives the server; holds an init secret's hash
  Uuid disk{};
  std::function<bool()> entered;           // true: the machine belongs to a cluster, or is on its way into one
  // The one admission, with the session that waits for the response. Called inside of the server: enter in a later turn.
  std::function<void(uint64_t session, Admission)> on_admission;
  std::function<void(const SessionEnd&)> on_end;
};

// At most 8 sessions; each may send one request. Errors: those of Server::create.
Result<std::unique_ptr<Server>> create_init_server(Fd listener, const InitServerConfig& config);

}  // namespace cstl
