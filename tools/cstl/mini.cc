#include <cstdio>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "svc/wire/join.h"
#include "tools/cstl/client.h"
#include "tools/cstl/command.h"
#include "tools/cstl/lan.h"
#include "tools/cstl/init.h"
#include "tools/cstl/machine.h"
#include "tools/cstl/measure.h"
#include "tools/cstl/process.h"
#include "tools/cstl/switch.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr int kProbeMs = 5000;
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

const Machine* find(const std::vector<Machine>& machines, const std::string& name) {
  for (const Machine& machine : machines) {
    if (machine.name == name) return &machine;
  }
  return nullptr;
}

int start(const Context& context, const Config& config, const Machine& machine, const std::vector<Machine>& all,
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
      if (find(machines, name) != nullptr) continue;
      TRY_LET(Machine machine, plan_machine(name, role, image, machines));
      machines.push_back(machine);
    }
    return success();
  };
  TRY(want("control-plane", 1, Role::control_plane));
  TRY(want("worker", config.mini.workers, Role::worker));
  TRY(make_folders(mini_folder(context.workspace)));
  TRY(store_machines(context.workspace, machines));
  return machines;
}

int up(const Context& context, const Config& config) {
  for (const char* program : {"qemu-system-x86_64", "swtpm", "swtpm_setup", "mformat", "mmd", "mcopy"}) {
    if (!program_exists(program)) {
      return failure(context, "mini up", fail(Code::no_virtualization, "mini.program"),
                     std::string(program) + " is missing: make deps installs it");
    }
  }
  std::string problem;
  auto machines = plan_all(context, config, &problem);
  if (!machines.ok()) return failure(context, "mini up", machines.error(), problem);
  Acceleration how = probe_acceleration(context.workspace, config);
  for (const Machine& machine : *machines) {
    if (int code = start(context, config, machine, *machines, how); code != kExitOk) return code;
  }
  if (int code = ensure_reference_values(context, config); code != kExitOk) return code;
  const Machine& first = machines->front();
  auto timeout = context.arguments.number("timeout", 300, 1, 86400);
  if (!timeout.ok()) return failure(context, "mini up", timeout.error(), "--timeout takes seconds");
  progress(context, first.name + ": waiting for firmware, kernel and init server");
  Status ready = wait_for(context, first, {first.init, first.verify, first.recover}, *timeout);
  if (!ready.ok()) return fail_with_console(context, first, "waiting for " + first.name, ready.error());
  json report = {{"machines", machines->size()}};
  if (context.arguments.has("boot-only")) {
    result(context, "the machines run. Next: cstl init\n", report);
    return kExitOk;
  }
  if (!answers(first.endpoint(first.verify), kProbeMs)) {
    if (!answers(first.endpoint(first.init), kProbeMs)) {
      return failure(context, "mini up", fail(Code::already_initialised, "mini.sealed"),
                     first.name + " waits for its disk key: cstl recover");
    }
    std::string values_json;
    auto values = load_reference_values(context.workspace, "", &values_json, &problem);
    if (!values.ok()) return failure(context, "reference values", values.error(), problem);
    auto plan = init_plan(context, &problem);
    if (!plan.ok()) return failure(context, "init", plan.error(), problem);
    if (int code = initialise(context, *values, values_json, *plan); code != kExitOk) return code;
  }
  for (const Machine& machine : *machines) {
    if (machine.untrusted) continue;
    progress(context, machine.name + ": waiting until it has joined and serves");
    Status serving = wait_for(context, machine, {machine.verify}, *timeout);
    if (!serving.ok()) return fail_with_console(context, machine, "waiting for " + machine.name, serving.error());
  }
  if (!context.json) result(context, "all machines serve. Next: cstl verify\n", report);
  return kExitOk;
}

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
                    {"recover", machine.endpoint(machine.recover)}, {"init", machine.endpoint(machine.init)}});
    text += machine.name + " (" + role_name(machine.role) + "): " + door + "; verify at " +
            machine.endpoint(machine.verify) + "\n";
  }
  result(context, text, {{"machines", list}});
  return kExitOk;
}

int add(const Context& context, const Config& config, const std::string& name) {
  std::string problem;
  auto machines = load_machines(context.workspace, &problem);
  if (!machines.ok()) return failure(context, "mini add", machines.error(), problem);
  if (!valid_node_name(name) || find(*machines, name) != nullptr) {
    return failure(context, "mini add", fail(Code::usage, "mini.name"), "give a new name of a-z, 0-9 and dashes");
  }
  auto role = role_from_name(context.arguments.get("role", "worker"));
  if (!role.ok()) return failure(context, "mini add", fail(Code::usage, "mini.role"), "--role control-plane|worker");
  std::string image = in_workspace(context.workspace, context.arguments.get("image", config.mini.image));
  auto machine = plan_machine(name, *role, image, *machines);
  if (!machine.ok()) return failure(context, "mini add", machine.error());
  machine->untrusted = context.arguments.has("untrusted");
  machines->push_back(*machine);
  if (Status stored = store_machines(context.workspace, *machines); !stored.ok()) {
    return failure(context, "mini add", stored.error());
  }
  int code = start(context, config, *machine, *machines, probe_acceleration(context.workspace, config));
  if (code != kExitOk) return code;
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
  std::string problem;
  auto config = load_config(context.workspace, &problem);
  if (!config.ok()) return failure(context, "mini", config.error(), problem);
  if (config->mini.image.empty()) {
    return failure(context, "mini", fail(Code::config_malformed, "mini"), "cstl-conf.yaml has no mini section");
  }
  if (verb == "up") return up(context, *config);
  if (verb == "add" && names.size() == 1) return add(context, *config, names[0]);
  if ((verb != "start" && verb != "stop") || names.empty()) {
    return failure(context, "mini", fail(Code::usage, "mini.verb"), "see cstl mini --help");
  }
  auto machines = load_machines(context.workspace, &problem);
  if (!machines.ok()) return failure(context, "mini", machines.error(), problem);
  Acceleration how = verb == "start" ? probe_acceleration(context.workspace, *config) : Acceleration::emulation;
  for (const std::string& name : names) {
    const Machine* machine = find(*machines, name);
    if (machine == nullptr) {
      return failure(context, "mini " + verb, fail(Code::not_found, "mini.name"), printable(name) + " is no machine");
    }
    if (verb == "start") {
      if (int code = start(context, *config, *machine, *machines, how); code != kExitOk) return code;
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
    "Run the cluster in local virtual machines: up, down, status, start, stop, add.",
    "  up [--boot-only] [--timeout SECONDS]   start the machines of cstl-conf.yaml, init, wait until all have joined\n"
    "  down [--keep]                          stop them and remove their files (or keep these)\n"
    "  status                                 what runs, and what it waits for\n"
    "  start NAME… | stop NAME…               switch machines on; cut their power\n"
    "  add NAME [--role ROLE] [--image FILE] [--untrusted]   one more machine\n"
    "\nFiles lie in cstl-mini/NAME/: serial.log is the machine's console. KVM is used where it really works,\n"
    "software emulation otherwise.\n",
    {"boot-only", "keep", "untrusted"},
    {"timeout", "role", "image", "endpoint", "init-secret-file", "reference-values"},
    run};

}  // namespace cstl::cli
