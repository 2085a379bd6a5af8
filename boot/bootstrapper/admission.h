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
  std::optional<MasterSecret> master;   // control planes, and only they
  std::string reference_values;         // JSON that parses; control planes only

  // From a request whose init secret and owner signature were verified. `now`: Unix seconds. Errors: bad_key_class,
  // crypto_failed, and those of ReferenceValues::parse; then `problem` says what is wrong with the reference values.
  static Result<Admission> from_init(const InitRequest& request, const Metadata& metadata, const Uuid& disk, int64_t now,
                                     std::string* problem);
  // From a ticket. Also bad_value when the ticket does not fit the role.
  static Result<Admission> from_ticket(const JoinTicket& ticket, const Metadata& metadata, std::string* problem);
};

// Where things are; the defaults are those of a machine.
struct Places {
  std::string state = kStateFolder;
  std::string run = "/run/cstl";
  std::string node_state() const { return state + "/node.json"; }
  std::string master_secret() const { return state + "/keyservice/master"; }
  std::string joinservice_store() const { return state + "/joinservice"; }
  std::string lock_marker() const { return run + "/entering"; }
};

using Progress = std::function<void(std::string_view step)>;

// In this order: node lock (PCR 15); store files of a control plane; node state; each durable before the next step; then
// the state disk's new key, through the monitor: the commit point. A power cut before it leaves a disk that the next boot
// formats anew, since only its random passphrase opened it; after it, a sealed disk with everything on it. `progress` is
// told each step before it starts; on error the last one told is the one that failed. Errors: those of each step.
Status enter_cluster(const Admission& admission, const Places& places, NodeLock& lock, tpm::Device& device,
                     Monitor& monitor, const Progress& progress);

// The files of keyservice and joinservice, owned by their users, folders included, all durable. Errors: io, no_space.
Status write_control_plane_store(const Admission& admission, const Places& places);

}  // namespace cstl
