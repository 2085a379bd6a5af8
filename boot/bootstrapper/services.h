// Which services a machine of a role runs, and with which arguments (svc/*/main.cc has the other end).
#pragma once

#include "boot/bootstrapper/admission.h"
#include "boot/bootstrapper/supervisor.h"

namespace cstl {

struct ServiceSettings {
  std::string programs;                    // folder of cstl-attester, cstl-keyservice, cstl-joinservice, cstl-verificationservice
  PlatformPaths platform;                  // this machine's devices
  std::string join_listen;                 // "0.0.0.0:9090"
  std::string verify_listen;
  std::string metrics;                     // loopback address; empty: no metrics
};

// Control plane: attester, keyservice, joinservice, verificationservice; worker: attester, verificationservice. In the
// order of their start.
std::vector<Program> services_of(const NodeState& node, const Places& places, const ServiceSettings& settings);

// The folders of the sockets, each searchable by all: attester's, root's own, and keyservice's, where that user may
// make its socket itself (it does in a pod). Errors: io, denied.
Status prepare_socket_folders(const Places& places);

}  // namespace cstl
