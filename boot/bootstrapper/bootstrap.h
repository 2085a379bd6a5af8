// The first life of a machine: a fresh state disk waits for init or a join ticket, whichever comes first.
#pragma once

#include "boot/bootstrapper/init_server.h"
#include "boot/bootstrapper/join_poller.h"
#include "boot/bootstrapper/settings.h"

namespace cstl {

class Bootstrap {
 public:
  // All borrowed.
  Bootstrap(const Settings& settings, const Metadata& metadata, tpm::Device& device, QuoteBatch& batch,
            const TlsIdentity& identity, Monitor& monitor, NodeLock& lock)
      : settings_(settings), metadata_(metadata), device_(device), batch_(batch), identity_(identity),
        monitor_(monitor), lock_(lock) {}

  // Blocks until the machine entered a cluster; returns its node state. An error after the node lock was taken
  // (NodeLock::taken) can only be left by a reboot; the peer was told, and its message delivered if it was reachable.
  // Logs what it waits for and what happens.
  Result<NodeState> run();

 private:
  Status start_init_server();
  Status start_join_poller();
  void enter(const Admission& admission, uint64_t init_session);
  Session* init_session(uint64_t id);

  const Settings& settings_;
  const Metadata& metadata_;
  tpm::Device& device_;
  QuoteBatch& batch_;
  const TlsIdentity& identity_;
  Monitor& monitor_;
  NodeLock& lock_;

  Loop loop_;
  ReferenceValues accepted_;
  std::unique_ptr<Server> init_;
  std::unique_ptr<JoinPoller> join_;
  bool entering_ = false;
  std::unique_ptr<Admission> admission_;    // waits for the next turn of the loop
  std::optional<Result<NodeState>> outcome_;
};

}  // namespace cstl
