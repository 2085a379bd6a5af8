// What the joinservice decides, apart from sockets, files and keys: a request and the verdict on its sender against the
// recorded nodes. Pure; nothing here is secret.
//
// Join. The matched reference set must admit the role. The disk must be free or this machine's own. A machine that joins
// again (init and join may be repeated after a power cut, and a machine may get a fresh disk) is the same node: its new
// record replaces the old one, whatever disk, role and name that had, and keeps the date of its first join. This gives
// away no key that the machine was not entitled to: only the key of the disk that it names now, and only when no other
// machine is on record with it. The old disk's key is given to nobody any more.
// Rejoin. The record must exist, be this machine's, and its role must still be admitted.
#pragma once

#include "svc/joinservice/store.h"

namespace cstl {

// The record to save before a ticket goes out. `now`: Unix seconds. Errors: not_attested (no passed verdict),
// role_refused, unsupported (control planes: see docs/wire/join.md), record_malformed, disk_taken.
Result<NodeRecord> decide_join(const JoinRequest& request, const Verdict* verdict, const Store& store, int64_t now);

// The record that the ticket is for. Errors: not_attested, unknown_node, record_malformed, identity_mismatch,
// role_refused.
Result<NodeRecord> decide_rejoin(const RejoinRequest& request, const Verdict* verdict, const Store& store);

}  // namespace cstl
