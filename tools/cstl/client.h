// The operator's side of aTLS: connects, demands evidence, and tells what went wrong in words.
#pragma once

#include <memory>
#include <string>

#include "attest/atls/session.h"
#include "tools/cstl/command.h"

namespace cstl::cli {

struct Connection {
  std::unique_ptr<TlsIdentity> identity;
  std::unique_ptr<AppraisalPolicy> policy;
  std::unique_ptr<Session> session;  // open; destroyed before what it borrows
};

// A re-key under software emulation takes seconds; a stuck machine is still noticed.
constexpr int kRequestMs = 180000;

// `endpoint` is a literal address and port. On error `detail` holds the peer's reason or the verdict's summary, and
// `verdict` (if not null) is filled as far as appraisal came. `policy.values` must outlive the connection.
// `request_ms`: how long the peer may stay silent afterwards. `saved` (may be null) gets the evidence as a file keeps it
// (attest/exchange/evidence_file.h), also when it does not pass.
Result<Connection> connect_attested(const std::string& endpoint, const AppraisalPolicy& policy, int timeout_ms,
                                    std::string* detail, Verdict* verdict = nullptr, int request_ms = kRequestMs,
                                    std::vector<uint8_t>* saved = nullptr);

// Whether aTLS answers at `endpoint` at all: says nothing about the machine behind it. A forwarded port accepts
// connections even when nothing listens behind it, so the handshake is what counts.
bool answers(const std::string& endpoint, int timeout_ms);

}  // namespace cstl::cli
