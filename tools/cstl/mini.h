// What the verbs of `cstl mini` share.
#pragma once

#include <vector>

#include "tools/cstl/command.h"
#include "tools/cstl/machine.h"

namespace cstl::cli {

// How long a machine gets for a handshake on one of its doors: emulated ones are slow, and may be busy.
constexpr int kProbeMs = 5000;

// nullptr when there is none.
const Machine* find_machine(const std::vector<Machine>& machines, const std::string& name);

// Makes what is missing of the machine, gives it its place in the LAN and switches it on. Nothing when it runs. Returns an
// exit code.
int switch_on(const Context& context, const Config& config, const Machine& machine, const std::vector<Machine>& all,
              Acceleration how);

// Writes the machines of the cluster into cstl-state.yaml, if there is one: cstl verify and cstl recover go by it.
Status record_machines(const Context& context, const std::vector<Machine>& machines, std::string* problem);

// `mini up`. Returns an exit code.
int mini_up(const Context& context, const Config& config);

}  // namespace cstl::cli
