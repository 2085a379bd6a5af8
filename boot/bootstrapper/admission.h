// What init or a join ticket gives to a machine, and how it enters the cluster with it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "boot/bootstrapper/monitor.h"
#include "boot/bootstrapper/node_lock.h"
#include "boot/metadata/metadata.h"
#include "boot/state/node_state.h"
#include "svc/wire/init.h"
#include "svc/wire/join.h"

namespace cstl {

// Complete and checked. Carries secrets.
struct Admission {
  NodeState node;                       // what will stand in node.json
  Key32 disk_key;
  std::optional<MasterSecret> master;   // of an init, and only there
  std::string reference_values;         // JSON that parses; of an init only
  std::string cluster;                  // of an init with Kubernetes: JSON of ClusterConfig that parses
  std::optional<SecretBuffer> ticket;   // of a join with Kubernetes: the encoded JoinTicket, checked for the role

  // From a request whose init secret and owner signature were verified. `now`: Unix seconds. Errors: bad_key_class,
  // crypto_failed, and those of ReferenceValues::parse and ClusterConfig::parse; `problem` then says what is wrong with them.
  static Result<Admission> from_init(const InitRequest& request, const Metadata& metadata, const Uuid& disk, int64_t now,
                                     std::string* problem);
  // From a ticket. Errors: bad_value (it does not fit the role), those of check_kubernetes_ticket, crypto_failed.
  static Result<Admission> from_ticket(const JoinTicket& ticket, const Metadata& metadata, std::string* problem);
};

// Where things are; the defaults are those of a machine.
struct Places {
  std::string state = kStateFolder;
  std::string run = "/run/cstl";
  std::string node_state() const { return state + "/node.json"; }
  std::string master_secret() const { return state + "/keyservice/master"; }
  std::string joinservice_store() const { return state + "/joinservice"; }
  std::string kubernetes_state() const { return state + "/kubernetes.json"; }
  std::string wireguard_key() const { return state + "/wireguard.key"; }
  std::string lock_marker() const { return run + "/entering"; }
};

using Progress = std::function<void(std::string_view step)>;

// In this order: node lock (PCR 15); store files of a control plane (without Kubernetes); node state; `before_seal`, if
// any; each durable before the next step; then the state disk's new key, through the monitor: the commit point. A power
// cut before it leaves a disk that the next boot formats anew, since only its random passphrase opened it; after it, a
// sealed disk with everything on it. `progress` is told each step before it starts; on error the last one told is the one
// that failed. Errors: those of each step.
Status enter_cluster(const Admission& admission, const Places& places, NodeLock& lock, Platform& platform,
                     Monitor& monitor, const Progress& progress, const std::function<Status()>& before_seal = {});

// The files of keyservice and joinservice, owned by their users, folders included, all durable. Errors: io, no_space.
Status write_control_plane_store(const Admission& admission, const Places& places);

}  // namespace cstl
