#include "svc/joinservice/join.h"

namespace cstl {

namespace {
bool admitted(const Verdict& verdict, Role role) { return (verdict.roles >> static_cast<unsigned>(role) & 1) != 0; }
}  // namespace

Result<NodeRecord> decide_join(const JoinRequest& request, const Verdict* verdict, const Store& store, int64_t now) {
  if (verdict == nullptr || !verdict->passed()) return fail(Code::not_attested, "join.verdict");
  if (!admitted(*verdict, request.role)) return fail(Code::role_refused, "join.role");
  // A further control plane needs the master secret, which no service may ask the keyservice for.
  if (request.role == Role::control_plane) return fail(Code::unsupported, "join.control_plane");
  if (store.damaged(request.disk)) return fail(Code::record_malformed, "join.record");
  const NodeRecord* held = store.find(request.disk);
  if (held != nullptr && held->identity != verdict->identity) return fail(Code::disk_taken, "join.disk");

  NodeRecord record;
  record.disk = request.disk;
  record.identity = verdict->identity;
  record.role = request.role;
  record.name = std::string(request.name.text());
  record.reference_set = verdict->reference_set;
  const NodeRecord* before = held != nullptr ? held : store.find_identity(verdict->identity);
  record.first_joined = before != nullptr ? before->first_joined : now;
  return record;
}

Result<NodeRecord> decide_rejoin(const RejoinRequest& request, const Verdict* verdict, const Store& store) {
  if (verdict == nullptr || !verdict->passed()) return fail(Code::not_attested, "rejoin.verdict");
  if (store.damaged(request.disk)) return fail(Code::record_malformed, "rejoin.record");
  const NodeRecord* record = store.find(request.disk);
  if (record == nullptr) return fail(Code::unknown_node, "rejoin.disk");
  if (record->identity != verdict->identity) return fail(Code::identity_mismatch, "rejoin.identity");
  if (!admitted(*verdict, record->role)) return fail(Code::role_refused, "rejoin.role");
  return *record;
}

}  // namespace cstl
