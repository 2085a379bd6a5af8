#include "tools/cstl/client.h"

#include "attest/exchange/evidence_file.h"
#include "tools/cstl/workspace.h"


namespace cstl::cli {

Result<Connection> connect_attested(const std::string& endpoint, const AppraisalPolicy& policy, int timeout_ms,
                                    std::string* detail, Verdict* verdict, int request_ms,
                                    std::vector<uint8_t>* saved) {
  Connection out;
  TRY_LET(out.identity, TlsIdentity::create());
  out.policy = std::make_unique<AppraisalPolicy>(policy);
  auto fd = connect_tcp(endpoint, timeout_ms);
  if (!fd.ok()) {
    *detail = "connecting to " + printable(endpoint);
    // Whatever kept the connection from being made, the machine was not reached.
    return fail(fd.code() == Code::bad_value ? Code::usage : Code::timeout, "connect", fd.error().origin,
                fd.error().foreign);
  }
  SessionConfig config;
  config.identity = out.identity.get();
  config.demand = out.policy.get();
  config.request_ms = request_ms;
  if (saved != nullptr) {
    config.on_evidence = [saved](const Digest32& binding, Bytes evidence) {
      *saved = SavedEvidence{unix_now(), binding, evidence}.encode();
    };
  }
  TRY_LET(out.session, Session::create(std::move(*fd), config));
  Status opened = drive_to_open(*out.session, nullptr);
  const Verdict* seen = out.session->peer_verdict();
  if (seen != nullptr && verdict != nullptr) *verdict = *seen;
  if (!opened.ok()) {
    *detail = printable(out.session->peer_text());  // if it ended the session; a verdict on it may be unfinished then
    if (detail->empty() && seen != nullptr && !seen->passed()) *detail = seen->summary();
    return opened.error();
  }
  return out;
}

bool answers(const std::string& endpoint, int timeout_ms) {
  auto identity = TlsIdentity::create();
  auto fd = connect_tcp(endpoint, timeout_ms);
  if (!identity.ok() || !fd.ok()) return false;
  SessionConfig config;
  config.identity = identity->get();
  config.handshake_ms = timeout_ms;
  auto session = Session::create(std::move(*fd), config);
  return session.ok() && drive_to_open(**session, nullptr).ok();
}

}  // namespace cstl::cli
