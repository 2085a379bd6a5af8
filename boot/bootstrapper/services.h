// Which services a machine of a role runs, and with which arguments (svc/*/main.cc has the other end).
#pragma once

#include "boot/bootstrapper/admission.h"
#include "boot/bootstrapper/supervisor.h"

namespace cstl {

struct ServiceSettings {
  std::string programs;                    // folder of cstl-keyservice, cstl-joinservice, cstl-verificationservice
  std::string tpm;
  std::string event_log;                   // path; empty: none
  std::string join_listen;                 // "0.0.0.0:9090"
  std::string verify_listen;
};

// Control plane: keyservice, joinservice, verificationservice; worker: verificationservice. In the order of their start.
std::vector<Program> services_of(const NodeState& node, const Places& places, const ServiceSettings& settings);

// The folder of the keyservice's socket: exists, owned by root, searchable by all. Errors: io, denied.
Status prepare_socket_folder(const Places& places);

}  // namespace cstl
