#include "svc/joinservice/join.h"

#include "crypto/base/utc.h"

namespace cstl {

namespace {
bool admitted(const Verdict& verdict, Role role) { return (verdict.roles >> static_cast<unsigned>(role) & 1) != 0; }

Error refuse(std::string* why, Code code, const char* site, std::string text) {
  if (why != nullptr) *why = std::move(text);
  return fail(code, site);
}

std::string advice(const std::string& name) {
  return "; if that is on purpose: kubectl delete cstlnode " + name + ", then join again";
}

// What only Kubernetes asks of a request. `own`: what is on record of this machine, if anything.
Status decide_node(const JoinRequest& request, const Verdict& verdict, const Nodes& nodes, const ClusterFacts& facts,
                   const NodeRecord* own, std::string* why) {
  const std::string name(request.name.text());
  if (facts.reserved_name(name)) {
    return refuse(why, Code::name_taken, "join.reserved_name", "the name " + name + " is the API server's");
  }
  if (nodes.damaged_name(name)) return fail(Code::record_malformed, "join.name_record");
  if (const NodeRecord* named = nodes.find_name(name); named != nullptr && named->identity != verdict.identity) {
    return refuse(why, Code::name_taken, "join.name",
                  "the name " + name + " belongs to another machine, which first joined " +
                      utc_text(named->first_joined) + advice(name));
  }
  if (own != nullptr && own->name != name) {
    return refuse(why, Code::node_differs, "join.own_name",
                  "this machine is on record as " + own->name + advice(own->name));
  }
  if (own != nullptr && own->role != request.role) {
    return refuse(why, Code::node_differs, "join.own_role",
                  std::string("this machine is on record as ") + role_name(own->role) + advice(own->name));
  }
  const std::string text(request.address.text());
  auto address = parse_node_address(text);
  if (!address.ok()) {
    return refuse(why, Code::bad_value, "join.address", "the node's address is missing or no literal IP address");
  }
  // The first control plane's own address is the endpoint's, as a rule: it keeps what it is on record with.
  if (facts.reserved_address(*address) && (own == nullptr || own->address != text)) {
    return refuse(why, Code::address_taken, "join.reserved_address", "no node can have the address " + text);
  }
  const NodeRecord* holder = nodes.find_address(text);
  if (holder != nullptr && holder->name != name) {
    return refuse(why, Code::address_taken, "join.taken_address",
                  "the address " + text + " belongs to the node " + holder->name);
  }
  holder = nodes.find_wireguard(request.wireguard_key);
  if (holder != nullptr && holder->name != name) {
    return refuse(why, Code::key_taken, "join.wireguard", "the WireGuard key belongs to the node " + holder->name);
  }
  return success();
}
}  // namespace

Result<NodeRecord> decide_join(const JoinRequest& request, const Verdict* verdict, const Nodes& nodes,
                               const ClusterFacts* facts, int64_t now, std::string* why) {
  if (verdict == nullptr || !verdict->passed()) return fail(Code::not_attested, "join.verdict");
  if (!admitted(*verdict, request.role)) return fail(Code::role_refused, "join.role");
  // In line mode nothing could hand the master secret to a further control plane.
  if (facts == nullptr && request.role == Role::control_plane) return fail(Code::unsupported, "join.control_plane");
  if (nodes.damaged(request.disk)) return fail(Code::record_malformed, "join.record");
  const NodeRecord* held = nodes.find(request.disk);
  if (held != nullptr && held->identity != verdict->identity) return fail(Code::disk_taken, "join.disk");
  const NodeRecord* own = held != nullptr ? held : nodes.find_identity(verdict->identity);
  if (facts != nullptr) TRY(decide_node(request, *verdict, nodes, *facts, own, why));

  NodeRecord record;
  record.disk = request.disk;
  record.identity = verdict->identity;
  record.role = request.role;
  record.name = std::string(request.name.text());
  record.reference_set = verdict->reference_set;
  record.first_joined = own != nullptr ? own->first_joined : now;
  record.variant = verdict->variant;
  record.address = std::string(request.address.text());
  record.wireguard_key = request.wireguard_key;
  return record;
}

Result<NodeRecord> decide_rejoin(const RejoinRequest& request, const Verdict* verdict, const Nodes& nodes) {
  if (verdict == nullptr || !verdict->passed()) return fail(Code::not_attested, "rejoin.verdict");
  if (nodes.damaged(request.disk)) return fail(Code::record_malformed, "rejoin.record");
  const NodeRecord* record = nodes.find(request.disk);
  if (record == nullptr) return fail(Code::unknown_node, "rejoin.disk");
  if (record->identity != verdict->identity) return fail(Code::identity_mismatch, "rejoin.identity");
  if (!admitted(*verdict, record->role)) return fail(Code::role_refused, "rejoin.role");
  return *record;
}

}  // namespace cstl
