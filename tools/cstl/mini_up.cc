#include <cstdio>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "tools/cstl/client.h"
#include "tools/cstl/init.h"
#include "tools/cstl/kubeconfig.h"
#include "tools/cstl/kubectl.h"
#include "tools/cstl/measure.h"
#include "tools/cstl/mini.h"
#include "tools/cstl/process.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr int64_t kDaySeconds = 86400;
constexpr int64_t kReferenceDays = 365;

int fail_with_console(const Context& context, const Machine& machine, const std::string& what, const Error& error) {
  if (!context.json) {
    std::fprintf(stderr, "last lines of %s/%s/serial.log:\n%s\n", mini_folder(context.workspace).c_str(),
                 machine.name.c_str(), console_tail(context.workspace, machine, 12).c_str());
  }
  return failure(context, what, error, mini_folder(context.workspace) + "/" + machine.name + "/serial.log");
}

// Waits until aTLS answers on one of the machine's doors.
Status wait_for(const Context& context, const Machine& machine, std::initializer_list<int64_t> ports, int64_t timeout_s) {
  int64_t begin = monotonic_ms();
  int64_t shown = 0;
  while (monotonic_ms() - begin < timeout_s * 1000) {
    for (int64_t port : ports) {
      if (answers(machine.endpoint(port), kProbeMs)) return success();
    }
    if (!machine_runs(context.workspace, machine)) return fail(Code::no_virtualization, "mini.stopped");
    if (int64_t waited = (monotonic_ms() - begin) / 10000; waited > shown) {
      shown = waited;
      progress(context, machine.name + ": still waiting (" + std::to_string(waited * 10) + " s)");
    }
    usleep(200000);
  }
  return fail(Code::timeout, "mini.wait");
}

// Without reference values nothing could be verified: they are made from the very image that the machines boot.
int ensure_reference_values(const Context& context, const Config& config) {
  std::string path = in_workspace(context.workspace, config.reference_values);
  if (access(path.c_str(), F_OK) == 0) return kExitOk;
  MeasureOptions options;
  options.image = in_workspace(context.workspace, config.mini.image);
  options.id = config.name;
  options.variant = config.variant;
  options.roles = 1u << static_cast<unsigned>(Role::control_plane) | 1u << static_cast<unsigned>(Role::worker);
  options.ek_roots = {ca_certificate_path(context.workspace)};
  options.not_before = unix_now() - kDaySeconds;
  options.not_after = unix_now() + kReferenceDays * kDaySeconds;
  std::string problem;
  auto values = measure_image(options, &problem);
  if (!values.ok()) return failure(context, "measuring the image", values.error(), problem);
  Status stored = write_file_durably(path.c_str(), values->to_json(), 0644);
  if (!stored.ok()) return failure(context, "reference values", stored.error(), path);
  progress(context, "reference values computed from " + options.image + ": " + path);
  return kExitOk;
}

Result<std::vector<Machine>> plan_all(const Context& context, const Config& config, std::string* problem) {
  TRY_LET(std::vector<Machine> machines, load_machines(context.workspace, problem));
  std::string image = in_workspace(context.workspace, config.mini.image);
  auto want = [&](const char* prefix, int count, Role role) -> Status {
    for (int i = 0; i < count; ++i) {
      std::string name = std::string(prefix) + "-" + std::to_string(i);
      if (find_machine(machines, name) != nullptr) continue;
      TRY_LET(Machine machine, plan_machine(name, role, config.variant, image, machines));
      machines.push_back(machine);
    }
    return success();
  };
  TRY(want("control-plane", config.mini.control_planes, Role::control_plane));
  TRY(want("worker", config.mini.workers, Role::worker));
  TRY(make_folders(mini_folder(context.workspace)));
  TRY(store_machines(context.workspace, machines));
  TRY(record_machines(context, machines, problem));
  return machines;
}

// One of the outcomes of a step: an exit code, kExitOk to go on.
int require_programs(const Context& context, const Config& config) {
  std::vector<std::string> programs = {"qemu-system-x86_64", "swtpm", "swtpm_setup", "mformat", "mmd", "mcopy"};
  for (const std::string& program : programs) {
    if (program_exists(program)) continue;
    return failure(context, "mini up", fail(Code::no_virtualization, "mini.program"),
                   program + " is missing: make deps installs it");
  }
  if (!config.kubernetes.has_value()) return kExitOk;
  bool found = config.kubectl.find('/') == std::string::npos
                   ? program_exists(config.kubectl)
                   : access(in_workspace(context.workspace, config.kubectl).c_str(), X_OK) == 0;
  return found ? kExitOk
               : failure(context, "mini up", fail(Code::kubectl_failed, "mini.kubectl"), config.kubectl + " is missing");
}

// Makes a cluster of the first machine, unless it belongs to one.
int ensure_initialised(const Context& context, const Machine& first) {
  if (answers(first.endpoint(first.recover), kProbeMs)) {
    return failure(context, "mini up", fail(Code::already_initialised, "mini.sealed"),
                   first.name + " waits for its disk key: cstl recover");
  }
  if (!answers(first.endpoint(first.init), kProbeMs)) return kExitOk;  // it is, though its services may still be starting
  std::string problem;
  std::string values_json;
  auto values = load_reference_values(context.workspace, "", &values_json, &problem);
  if (!values.ok()) return failure(context, "reference values", values.error(), problem);
  auto plan = init_plan(context, &problem);
  if (!plan.ok()) return failure(context, "init", plan.error(), problem);
  plan->report = false;  // this command has a report of its own
  return initialise(context, *values, values_json, *plan);
}

int wait_for_all(const Context& context, const std::vector<Machine>& machines, int64_t timeout_s) {
  for (const Machine& machine : machines) {
    if (machine.untrusted) continue;
    progress(context, machine.name + ": waiting until it has joined and serves");
    Status serving = wait_for(context, machine, {machine.verify}, timeout_s);
    if (!serving.ok()) return fail_with_console(context, machine, "waiting for " + machine.name, serving.error());
  }
  return kExitOk;
}

int report_nodes(const Context& context, const Config& config, const std::vector<Machine>& machines,
                 int64_t timeout_s) {
  std::vector<std::string> names;
  for (const Machine& machine : machines) {
    if (!machine.untrusted) names.push_back(machine.name);
  }
  std::string problem;
  // Without a network that somebody installs, no node becomes Ready.
  const bool networked = config.kubernetes->network == PodNetwork::wireguard;
  progress(context, networked ? "waiting until Kubernetes reports every node as Ready" : "waiting for every node");
  Status ready = wait_for_nodes(context, config, names, networked ? NodeGoal::ready : NodeGoal::registered, timeout_s,
                                &problem);
  if (!ready.ok()) return failure(context, "kubectl get nodes", ready.error(), problem);
  auto table = nodes_table(context, config, &problem);
  if (!table.ok()) return failure(context, "kubectl get nodes", table.error(), problem);
  std::string text;
  for (char c : *table) text.push_back(c == '\n' || (c >= ' ' && c <= '~') ? c : '?');
  const char* then = networked ? "cstl verify\n" : "install the pods' network (docs/kubernetes.md); cstl verify\n";
  result(context, text + "Next: export KUBECONFIG=" + kubeconfig_path(context.workspace) + "; " + then,
         {{"machines", machines.size()}, {"nodes", names}, {"kubeconfig", kubeconfig_path(context.workspace)}});
  return kExitOk;
}
}  // namespace

int mini_up(const Context& context, const Config& config) {
  auto timeout = context.arguments.number("timeout", config.kubernetes.has_value() ? 1200 : 300, 1, 86400);
  if (!timeout.ok()) return failure(context, "mini up", timeout.error(), "--timeout takes seconds");
  if (int code = require_programs(context, config); code != kExitOk) return code;
  std::string problem;
  auto machines = plan_all(context, config, &problem);
  if (!machines.ok()) return failure(context, "mini up", machines.error(), problem);
  Acceleration how = probe_acceleration(context.workspace, config);
  for (const Machine& machine : *machines) {
    if (int code = switch_on(context, config, machine, *machines, how); code != kExitOk) return code;
  }
  if (int code = ensure_reference_values(context, config); code != kExitOk) return code;
  const Machine& first = machines->front();
  bool known = state_exists(context.workspace);
  progress(context, first.name + (known ? ": waiting for its services" : ": waiting for firmware, kernel and init server"));
  Status ready = wait_for(context, first, {first.init, first.verify, first.recover}, *timeout);
  if (!ready.ok()) return fail_with_console(context, first, "waiting for " + first.name, ready.error());
  json report = {{"machines", machines->size()}};
  if (context.arguments.has("boot-only")) {
    result(context, "the machines run. Next: cstl init\n", report);
    return kExitOk;
  }
  if (int code = ensure_initialised(context, first); code != kExitOk) return code;
  if (int code = wait_for_all(context, *machines, *timeout); code != kExitOk) return code;
  if (config.kubernetes.has_value()) return report_nodes(context, config, *machines, *timeout);
  result(context, "all machines serve. Next: cstl verify\n", report);
  return kExitOk;
}

}  // namespace cstl::cli
