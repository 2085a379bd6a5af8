// One round of the service: from the inventory to the desired state, to the kernel, to the CNI configuration. Blocks
// for as long as the kernel takes; never logs: the program tells what a round says.
#pragma once

#include "svc/nodenetwork/inventory.h"
#include "svc/nodenetwork/network.h"

namespace cstl {

struct Round {
  DesiredState state;
  Applied applied;             // when state.own is set
  bool cni_written = false;
  bool key_differs = false;    // our CstlNode tells the others another key than the one that is set
};

class Reconciler {
 public:
  Reconciler(Network network, WireguardSecret key, std::string name, PodRange range, std::string cni_folder)
      : network_(std::move(network)), key_(std::move(key)), name_(std::move(name)), range_(range),
        cni_folder_(std::move(cni_folder)) {}

  // Before anything is known: nothing of a pod leaves or arrives in clear. Errors: as Network.
  Status protect() { return network_.protect(range_); }
  // A node that is not ready (no state.own) keeps what it has. Errors: as Network, and those of files.
  Result<Round> run(const Inventory& inventory);
  Result<Observed> observe() { return network_.observe(); }

 private:
  Network network_;
  WireguardSecret key_;
  std::string name_;
  PodRange range_;
  std::string cni_folder_;
};

// What must hold before this service may speak of protection: packets whose source is not where they come from are
// dropped (net.ipv4.conf.all.rp_filter is 1; PID 1 sets it) and pods' packets are forwarded. `problem` names the
// setting. Errors: mismatch, by errno.
Status check_settings(std::string* problem);

}  // namespace cstl
