// The first life of a machine: a fresh state disk waits for init or a join ticket, whichever comes first.
//
// Two processes. This one, the waiter, talks to the network: it runs as a user of its own, without capabilities and file
// system, under policy/seccomp/bootstrapper.policy, and hands the one admission that it gets to its parent. The parent
// (main.cc) stays root, since it extends PCR 15, writes the records of other users, asks PID 1 and starts the services;
// it is not confined beyond no_new_privs, and its children confine themselves. It reads no byte of the network but, in a
// Kubernetes cluster, the answers of the API server that it has just been admitted to, authenticated by the cluster's CA.
#pragma once

#include "boot/bootstrapper/handover.h"
#include "boot/bootstrapper/init_server.h"
#include "boot/bootstrapper/join_poller.h"
#include "boot/bootstrapper/settings.h"

namespace cstl {

// In a forked child that has closed what it must not have: opens TPM, listener and reference values, locks itself down,
// waits, hands over on `parent` (owned), tells the client of an init how it went. Logs what it waits for and what
// happens. Returns when a machine entered or failed to, or when the parent is gone. Errors: whatever kept it from waiting.
Status run_waiter(const Settings& settings, const Metadata& metadata, const NodeOffer& offer, Fd parent);

}  // namespace cstl
