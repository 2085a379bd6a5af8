#include "tools/cstl/mini.h"

#include <climits>
#include <cstdlib>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "svc/wire/join.h"
#include "tools/cstl/client.h"
#include "tools/cstl/lan.h"
#include "tools/cstl/process.h"
#include "tools/cstl/switch.h"

namespace cstl::cli {

using nlohmann::json;

const Machine* find_machine(const std::vector<Machine>& machines, const std::string& name) {
  for (const Machine& machine : machines) {
    if (machine.name == name) return &machine;
  }
  return nullptr;
}

int switch_on(const Context& context, const Config& config, const Machine& machine, const std::vector<Machine>& all,
          Acceleration how) {
  if (machine_runs(context.workspace, machine)) return kExitOk;
  std::string problem;
  Status done = prepare_machine(context.workspace, config, machine, all, &problem);
  // A gateway that ended forwards nobody's ports any more.
  for (const Machine& other : all) {
    if (done.ok() && (other.name == machine.name || machine_runs(context.workspace, other))) {
      done = join_lan(context.workspace, other, &problem);
    }
  }
  if (done.ok()) {
    progress(context, "starting " + machine.name + (how == Acceleration::kvm ? " (KVM)" : " (software emulation)"));
    done = start_machine(context.workspace, config, machine, how, &problem);
  }
  if (!done.ok()) return failure(context, "starting " + machine.name, done.error(), problem);
  return kExitOk;
}

Status record_machines(const Context& context, const std::vector<Machine>& machines, std::string* problem) {
  if (!state_exists(context.workspace)) return success();
  TRY_LET(ClusterState state, load_state(context.workspace, problem));
  state.nodes.clear();
  for (const Machine& machine : machines) {
    if (!machine.untrusted) state.nodes.push_back(machine.facts());
  }
  return store_state(context.workspace, state);
}

namespace {
int down(const Context& context) {
  std::string problem;
  auto machines = load_machines(context.workspace, &problem);
  if (!machines.ok()) return failure(context, "mini down", machines.error(), problem);
  for (const Machine& machine : *machines) {
    Status stopped = stop_machine(context.workspace, machine);
    if (!stopped.ok()) return failure(context, "stopping " + machine.name, stopped.error());
  }
  if (Status stopped = stop_lan(context.workspace); !stopped.ok()) {
    return failure(context, "stopping the network", stopped.error());
  }
  std::string folder = mini_folder(context.workspace);
  if (!context.arguments.has("keep") && access(folder.c_str(), F_OK) == 0) {
    Status removed = run_program({"rm", "-rf", "--", folder}, "/", "/dev/null", 60000);
    if (!removed.ok()) return failure(context, "mini down", removed.error(), folder);
  }
  result(context, context.arguments.has("keep") ? "stopped; their files are kept.\n" : "stopped and removed.\n",
         {{"stopped", machines->size()}});
  return kExitOk;
}

int show(const Context& context) {
  std::string problem;
  auto machines = load_machines(context.workspace, &problem);
  if (!machines.ok()) return failure(context, "mini status", machines.error(), problem);
  json list = json::array();
  std::string text = machines->empty() ? "no machines. Next: cstl mini up\n" : "";
  for (const Machine& machine : *machines) {
    bool runs = machine_runs(context.workspace, machine);
    const char* door = !runs                                                  ? "off"
                       : answers(machine.endpoint(machine.verify), kProbeMs)  ? "serving"
                       : answers(machine.endpoint(machine.recover), kProbeMs) ? "waits for its disk key"
                       : answers(machine.endpoint(machine.init), kProbeMs)    ? "waits for init"
                                                                              : "starting or joining";
    list.push_back({{"name", machine.name}, {"role", role_name(machine.role)}, {"running", runs},
                    {"condition", door}, {"verify", machine.endpoint(machine.verify)},
                    {"recover", machine.endpoint(machine.recover)}, {"init", machine.endpoint(machine.init)},
                    {"api", machine.endpoint(machine.api)}, {"address", machine.address()}});
    text += machine.name + " (" + role_name(machine.role) + "): " + door + "; verify at " +
            machine.endpoint(machine.verify) + "\n";
  }
  result(context, text, {{"machines", list}});
  return kExitOk;
}

// Its disk and its TPM are gone: what joins later under the same name is another machine.
int remove(const Context& context, const std::string& name) {
  std::string problem;
  auto machines = load_machines(context.workspace, &problem);
  if (!machines.ok()) return failure(context, "mini remove", machines.error(), problem);
  const Machine* machine = find_machine(*machines, name);
  if (machine == nullptr) {
    return failure(context, "mini remove", fail(Code::not_found, "mini.name"), printable(name) + " is no machine");
  }
  Status done = stop_machine(context.workspace, *machine);
  if (done.ok()) done = leave_lan(context.workspace, *machine, &problem);
  std::string folder = mini_folder(context.workspace) + "/" + name;
  if (done.ok()) done = run_program({"rm", "-rf", "--", folder}, "/", "/dev/null", 60000);
  bool untrusted = machine->untrusted;
  machines->erase(machines->begin() + (machine - machines->data()));
  if (done.ok()) done = store_machines(context.workspace, *machines);
  if (done.ok()) done = record_machines(context, *machines, &problem);
  if (!done.ok()) return failure(context, "removing " + name, done.error(), problem);
  result(context, name + " is removed.\n" + (untrusted ? "" : "With Kubernetes, its records are left: kubectl delete node " +
                                                               name + "; kubectl delete cstlnode " + name + "\n"),
         {{"removed", name}});
  return kExitOk;
}

// FILE, or --stop.
int capture(const Context& context, const std::vector<std::string>& names) {
  bool stop = context.arguments.has("stop");
  if (names.size() != (stop ? 0u : 1u)) {
    return failure(context, "mini capture", fail(Code::usage, "mini.capture"), "give a file, or --stop");
  }
  Status done = stop ? stop_capture(context.workspace) : start_capture(context.workspace, names[0]);
  if (!done.ok()) return failure(context, "mini capture", done.error(), stop ? "" : names[0]);
  result(context, stop ? "the capture is complete.\n" : "what crosses the LAN is written to " + names[0] + "\n",
         {{"capturing", !stop}});
  return kExitOk;
}

int add(const Context& context, const Config& config, const std::string& name) {
  std::string problem;
  auto machines = load_machines(context.workspace, &problem);
  if (!machines.ok()) return failure(context, "mini add", machines.error(), problem);
  if (!valid_node_name(name) || find_machine(*machines, name) != nullptr) {
    return failure(context, "mini add", fail(Code::usage, "mini.name"), "give a new name of a-z, 0-9 and dashes");
  }
  auto role = role_from_name(context.arguments.get("role", "worker"));
  if (!role.ok()) return failure(context, "mini add", fail(Code::usage, "mini.role"), "--role control-plane|worker");
  std::string image = in_workspace(context.workspace, context.arguments.get("image", config.mini.image));
  auto variant = variant_from_name(context.arguments.get("variant", variant_name(config.variant)));
  if (!variant.ok()) return failure(context, "mini add", fail(Code::usage, "mini.variant"), "--variant is unknown");
  auto machine = plan_machine(name, *role, *variant, image, *machines);
  if (!machine.ok()) return failure(context, "mini add", machine.error());
  if (context.arguments.has("tpm")) {
    problem = "this variant has no TPM";
    if (!has_tpm(*variant)) return failure(context, "mini add", fail(Code::usage, "mini.tpm"), problem);
    const std::string from = in_workspace(absolute_workspace(context.workspace), context.arguments.get("tpm"));
    Status adopted = adopt_tpm(context.workspace, *machine, from, &problem);
    if (!adopted.ok()) return failure(context, "mini add --tpm", adopted.error(), problem);
  }
  machine->untrusted = context.arguments.has("untrusted");
  machines->push_back(*machine);
  if (Status stored = store_machines(context.workspace, *machines); !stored.ok()) {
    return failure(context, "mini add", stored.error());
  }
  int code = switch_on(context, config, *machine, *machines, probe_acceleration(context.workspace, config));
  if (code != kExitOk) return code;
  if (Status recorded = record_machines(context, *machines, &problem); !recorded.ok()) {
    return failure(context, "cluster state", recorded.error(), problem);
  }
  result(context, name + " runs; its console is " + mini_folder(context.workspace) + "/" + name + "/serial.log\n",
         {{"name", name}, {"verify", machine->endpoint(machine->verify)}});
  return kExitOk;
}

int run(const Context& context) {
  const auto& words = context.arguments.positional();
  std::string verb = words.empty() ? "" : words[0];
  std::vector<std::string> names(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (verb == "switch") return run_switch();
  if (verb == "down") return down(context);
  if (verb == "status") return show(context);
  if (verb == "capture") return capture(context, names);
  if (verb == "remove" && names.size() == 1) return remove(context, names[0]);
  std::string problem;
  auto config = load_config(context.workspace, &problem);
  if (!config.ok()) return failure(context, "mini", config.error(), problem);
  if (config->mini.image.empty()) {
    return failure(context, "mini", fail(Code::config_malformed, "mini"), "cstl-conf.yaml has no mini section");
  }
  if (verb == "up") return mini_up(context, *config);
  if (verb == "add" && names.size() == 1) return add(context, *config, names[0]);
  if ((verb != "start" && verb != "stop" && verb != "kill") || names.empty()) {
    return failure(context, "mini", fail(Code::usage, "mini.verb"), "see cstl mini --help");
  }
  auto machines = load_machines(context.workspace, &problem);
  if (!machines.ok()) return failure(context, "mini", machines.error(), problem);
  Acceleration how = verb == "start" ? probe_acceleration(context.workspace, *config) : Acceleration::emulation;
  for (const std::string& name : names) {
    const Machine* machine = find_machine(*machines, name);
    if (machine == nullptr) {
      return failure(context, "mini " + verb, fail(Code::not_found, "mini.name"), printable(name) + " is no machine");
    }
    if (verb == "start") {
      if (int code = switch_on(context, *config, *machine, *machines, how); code != kExitOk) return code;
    } else if (Status stopped = stop_machine(context.workspace, *machine); !stopped.ok()) {
      return failure(context, "stopping " + name, stopped.error());
    }
  }
  result(context, verb == "start" ? "started.\n" : "power cut.\n", {{verb, names}});
  return kExitOk;
}
}  // namespace

const Command kMini = {
    "mini",
    "Run the cluster in local virtual machines: up, down, status, start, kill, add, remove, capture.",
    "  up [--boot-only] [--timeout SECONDS]   start the machines of cstl-conf.yaml, init, wait until all have joined\n"
    "  down [--keep]                          stop them and remove their files (or keep these)\n"
    "  status                                 what runs, and what it waits for\n"
    "  start NAME… | kill NAME…               switch machines on; cut their power (stop is another word for it)\n"
    "  add NAME [--role ROLE] [--image FILE] [--untrusted] [--variant VARIANT] [--tpm FOLDER]\n"
    "                                         one more machine; of another variant, with a copy of a software TPM's state\n"
    "  remove NAME                            cut its power and remove its disk and its TPM\n"
    "  capture FILE | capture --stop          write what crosses the machines' network, as pcap\n"
    "\nFiles lie in cstl-mini/NAME/: serial.log is the machine's console. KVM is used where it really works,\n"
    "software emulation otherwise.\n",
    {"boot-only", "keep", "stop", "untrusted"},
    {"timeout", "role", "image", "variant", "tpm", "endpoint", "init-secret-file", "reference-values"},
    run};

}  // namespace cstl::cli
