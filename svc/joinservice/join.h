// What the joinservice decides, apart from sockets, files and keys: a request and the verdict on its sender against the
// recorded nodes. Pure; nothing here is secret.
//
// Join. The matched reference set must admit the role. The disk must be free or this machine's own. A machine that joins
// again (init and join may be repeated after a power cut, and a machine may get a fresh disk) is the same node: its new
// record replaces the old one and keeps the date of its first join. This gives away no key that the machine was not
// entitled to: only the key of the disk that it names now, and only when no other machine is on record with it. The old
// disk's key is given to nobody any more.
// In line mode the new record may have another name and role; a further control plane is refused.
// In Kubernetes a name belongs to one machine and a machine has one name and role, since certificates, Node objects and
// etcd members outlive a record: anything else is refused until an operator removes the record. The address and the
// WireGuard key must be nobody else's, and neither name nor address may pass for the API server's (facts.h).
// Rejoin. The record must exist, be this machine's, and its role must still be admitted.
#pragma once

#include "svc/joinservice/facts.h"
#include "svc/joinservice/nodes.h"

namespace cstl {

// The record to save before a ticket goes out. `now`: Unix seconds. `facts`: nullptr in line mode. `why` says more than
// the code, for the peer; it names no other machine's secrets.
// Errors: not_attested (no passed verdict), role_refused, record_malformed, disk_taken; in line mode unsupported (control
// planes: see docs/wire/join.md); in Kubernetes bad_value (no address), name_taken, node_differs, address_taken, key_taken.
Result<NodeRecord> decide_join(const JoinRequest& request, const Verdict* verdict, const Nodes& nodes,
                               const ClusterFacts* facts, int64_t now, std::string* why);

// The record that the ticket is for. Errors: not_attested, unknown_node, record_malformed, identity_mismatch,
// role_refused.
Result<NodeRecord> decide_rejoin(const RejoinRequest& request, const Verdict* verdict, const Nodes& nodes);

}  // namespace cstl
