// One local virtual machine: QEMU (q35, OVMF), swtpm with an endorsement certificate of the workspace's own CA, a state
// disk, perhaps the shared root disk, a place in the LAN (lan.h) with ports of 127.0.0.1 that lead to it. Everything of it lies in cstl-mini/NAME/: serial.log is its
// console, qemu.log and swtpm.log are the programs' own words.
#pragma once

#include <string>
#include <vector>

#include "tools/cstl/workspace.h"

namespace cstl::cli {

constexpr int64_t kMaxMachines = 200;

struct Machine {
  std::string name;
  Role role = Role::worker;
  Variant variant = Variant::qemu_vtpm;  // what its metadata say that it is; one with a TPM gets one
  std::string image;       // the UKI that it boots
  bool untrusted = false;  // added by hand to try something: not part of the cluster's records
  int64_t number = 0;      // 0..kMaxMachines-1: decides its address and MAC address; not used twice
  int64_t init = 0, join = 0, verify = 0, recover = 0, api = 0;  // forwarded ports on 127.0.0.1

  std::string address() const { return "10.0.2." + std::to_string(15 + number); }  // in the LAN
  std::string endpoint(int64_t port) const { return "127.0.0.1:" + std::to_string(port); }
  NodeFacts facts() const { return {name, role, endpoint(verify), endpoint(recover)}; }
};

std::string mini_folder(const std::string& workspace);        // absolute
std::string init_secret_path(const std::string& workspace);
std::string ca_certificate_path(const std::string& workspace);  // PEM of the CA that signs the endorsement keys

// The machines of cstl-mini/machines.json; none when there is no such file. Errors: workspace, bad_json.
Result<std::vector<Machine>> load_machines(const std::string& workspace, std::string* problem);
Status store_machines(const std::string& workspace, const std::vector<Machine>& machines);

// A new machine: free ports and an address that none of `others` has. Errors: io, no_space (the LAN is full).
Result<Machine> plan_machine(const std::string& name, Role role, Variant variant, const std::string& image,
                             const std::vector<Machine>& others);

// Gives a machine that was never prepared a copy of this state of a software TPM (swtpm's --tpmstate) instead of a new one:
// what a cloud would have in it is then there. Errors: not_found (there is no such state), exists (it has a TPM), and those of
// copying; `problem` names the place.
Status adopt_tpm(const std::string& workspace, const Machine& machine, const std::string& from, std::string* problem);

// Makes what is missing in its folder: TPM state, firmware variables, ESP, state disk, metadata. Idempotent; the TPM and
// the state disk of an existing machine are kept. `problem` names the log to read.
Status prepare_machine(const std::string& workspace, const Config& config, const Machine& machine,
                       const std::vector<Machine>& all, std::string* problem);

enum class Acceleration : uint8_t { kvm, emulation };
// KVM only if it really runs the firmware here: a /dev/kvm that exists but cannot is met in practice.
Acceleration probe_acceleration(const std::string& workspace, const Config& config);

Status start_machine(const std::string& workspace, const Config& config, const Machine& machine, Acceleration how,
                     std::string* problem);
bool machine_runs(const std::string& workspace, const Machine& machine);
// Cuts the power.
Status stop_machine(const std::string& workspace, const Machine& machine);
// The last lines of its console, made printable.
std::string console_tail(const std::string& workspace, const Machine& machine, size_t lines);

}  // namespace cstl::cli
