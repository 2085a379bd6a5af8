#include "tools/cstl/init.h"

#include <cstdio>

#include "crypto/base/fd.h"
#include "svc/wire/init.h"
#include "tools/cstl/client.h"
#include "tools/cstl/kubeconfig.h"
#include "tools/cstl/machine.h"

namespace cstl::cli {

namespace {
using nlohmann::json;

Result<Secret<32>> read_init_secret(const std::string& path) {
  TRY_LET(auto data, read_file(path.c_str(), 256));
  std::string_view text = Bytes(data).text();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  Secret<32> out;
  Status decoded = from_hex(text, out.fill());
  wipe(data);
  if (!decoded.ok()) return fail(Code::workspace, "init.secret");
  return out;
}

// Where the operator's other doors to the machine are, if they are on their usual ports.
std::string with_port(const std::string& endpoint, const char* port) {
  return endpoint.substr(0, endpoint.rfind(':') + 1) + port;
}

// The state to record: the one of an earlier attempt, or a new one with a fresh salt.
Result<ClusterState> prepare_state(const Context& context, const Owner& owner, const InitPlan& plan,
                                   std::string* problem) {
  ClusterState state;
  if (state_exists(context.workspace)) {
    TRY_LET(state, load_state(context.workspace, problem));
  } else {
    TRY(random_bytes(state.measurement_salt));
  }
  TRY_LET(Key32 measurement, derive_key(owner.master, KeyClass::cluster_measurement, ""));
  TRY_LET(state.cluster_id, derive_cluster_id(measurement, state.measurement_salt));
  state.owner_key = owner.key.point();
  state.nodes = plan.nodes;
  TRY(store_state(context.workspace, state));
  return state;
}

struct Answer {
  SecretBuffer body;
  InitResponse response;  // borrows from body
};

// How long the machine may take between two signs of life: kubeadm waits for minutes, most of all under emulation.
constexpr int kInitMs = 900000;

Result<Answer> exchange(const Context& context, Session& session, const Owner& owner, const ClusterState& state,
                        Secret<32> init_secret, const std::string& values_json, const std::string& cluster) {
  InitRequest request;
  request.init_secret = std::move(init_secret);
  request.master = MasterSecret{owner.master.key.clone(), owner.master.salt.clone()};
  request.measurement_salt = state.measurement_salt;
  request.owner_key = state.owner_key;
  request.reference_values = values_json;
  request.cluster = cluster;
  TRY_LET(SecretBuffer body, InitRequest::encode(request, owner.key, session.exporter()));
  TRY(session.send(FrameType::init_request, body.declassify()));
  int64_t begin = monotonic_ms();
  for (;;) {
    TRY_LET(Frame frame, drive_to_any_frame(session));
    if (frame.type == FrameType::init_response) {
      TRY_LET(InitResponse response, InitResponse::decode(frame.body.declassify()));
      return Answer{std::move(frame.body), response};
    }
    if (frame.type != FrameType::init_progress) return fail(Code::frame_type, "init.answer");
    TRY_LET(InitProgress step, InitProgress::decode(frame.body.declassify()));
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%4lld s  ", static_cast<long long>((monotonic_ms() - begin) / 1000));
    progress(context, seconds + printable(step.text.text()));
  }
}

// What came back must be what was asked for, before anything of it is kept.
Status keep(const Context& context, const Answer& answer, const ClusterState& state, const InitPlan& plan) {
  if (!equal(answer.response.cluster_id, state.cluster_id)) return fail(Code::cluster_mismatch, "init.answer");
  if (plan.cluster.empty() != answer.response.kubeconfig.empty()) return fail(Code::bad_value, "init.kubeconfig");
  return plan.cluster.empty() ? success()
                              : store_kubeconfig(context.workspace, answer.response.kubeconfig, plan.api);
}
}  // namespace

Result<InitPlan> init_plan(const Context& context, std::string* problem) {
  InitPlan plan;
  TRY_LET(Config config, load_config(context.workspace, problem));
  plan.endpoint = context.arguments.get("endpoint", config.init_endpoint);
  plan.init_secret_file = context.arguments.get("init-secret-file", config.init_secret_file);
  if (config.kubernetes.has_value()) plan.cluster = config.kubernetes->to_json();
  if (plan.endpoint.empty()) {
    TRY_LET(std::vector<Machine> machines, load_machines(context.workspace, problem));
    for (const Machine& machine : machines) {
      if (machine.untrusted) continue;
      if (machine.role == Role::control_plane && plan.endpoint.empty()) {
        plan.endpoint = machine.endpoint(machine.init);
        plan.api = "https://" + machine.endpoint(machine.api);
      }
      plan.nodes.push_back(machine.facts());
    }
    if (plan.init_secret_file.empty()) plan.init_secret_file = init_secret_path(context.workspace);
  } else {
    plan.nodes.push_back({"control-plane-0", Role::control_plane, with_port(plan.endpoint, "9091"),
                          with_port(plan.endpoint, "9999")});
  }
  if (plan.endpoint.empty() || plan.init_secret_file.empty()) {
    *problem = "neither --endpoint, init_endpoint nor a local machine says where the control plane is";
    return fail(Code::workspace, "init.plan");
  }
  plan.init_secret_file = in_workspace(context.workspace, plan.init_secret_file);
  return plan;
}

int initialise(const Context& context, const ReferenceValues& values, const std::string& values_json,
               const InitPlan& plan) {
  std::string problem;
  auto init_secret = read_init_secret(plan.init_secret_file);
  if (!init_secret.ok()) return failure(context, "init secret", init_secret.error(), plan.init_secret_file);
  bool known = owner_exists(context.workspace);
  auto owner = known ? load_owner(context.workspace, &problem) : create_owner(context.workspace);
  if (!owner.ok()) return failure(context, "master secret", owner.error(), problem);

  AppraisalPolicy policy;
  policy.values = &values;
  policy.now = unix_now();
  policy.cluster = ClusterRule::outside;
  progress(context, "attesting " + plan.endpoint);
  std::string detail;
  auto connection = connect_attested(plan.endpoint, policy, 30000, &detail, nullptr, kInitMs);
  if (!connection.ok()) return failure(context, "attesting the control plane", connection.error(), detail);

  auto state = prepare_state(context, *owner, plan, &problem);
  if (!state.ok()) return failure(context, "cluster state", state.error(), problem);
  progress(context, "the machine passed; sending the master secret");
  auto answer = exchange(context, *connection->session, *owner, *state, std::move(*init_secret), values_json,
                         plan.cluster);
  Status kept = answer.ok() ? keep(context, *answer, *state, plan) : Status(answer.error());
  if (!kept.ok()) {
    return failure(context, "init", kept.error(),
                   printable(connection->session->peer_text()) +
                       " (repeat cstl init; if the machine has sealed its disk already, cstl recover opens it)");
  }
  std::string text = "cluster " + to_hex(state->cluster_id) + " is initialised.\nKeep " + context.workspace +
                     "/cstl-mastersecret.json safe: it opens every disk of the cluster.\n";
  json object = {{"cluster_id", to_hex(state->cluster_id)}, {"disk", uuid_text(answer->response.disk)}};
  if (!plan.cluster.empty()) {
    text += "Kubernetes: export KUBECONFIG=" + kubeconfig_path(context.workspace) + "\n";
    object["kubeconfig"] = kubeconfig_path(context.workspace);
  }
  if (plan.report) {
    result(context, text + "Next: cstl verify\n", object);
  } else {
    progress(context, "cluster " + to_hex(state->cluster_id) + " is initialised");
  }
  return kExitOk;
}

namespace {
int run(const Context& context) {
  std::string problem;
  std::string values_json;
  auto values =
      load_reference_values(context.workspace, context.arguments.get("reference-values"), &values_json, &problem);
  if (!values.ok()) return failure(context, "reference values", values.error(), problem);
  auto plan = init_plan(context, &problem);
  if (!plan.ok()) return failure(context, "init", plan.error(), problem);
  return initialise(context, *values, values_json, *plan);
}
}  // namespace

const Command kInit = {
    "init",
    "Make the first control plane a cluster of yours, after it has proved what it runs.",
    "  --endpoint ADDR:PORT       of its init server (default: cstl-conf.yaml, or the machine of mini)\n"
    "  --init-secret-file FILE    64 hexadecimal digits (default likewise)\n"
    "  --reference-values FILE    (default: the one that cstl-conf.yaml names)\n"
    "\nMakes cstl-mastersecret.json if there is none, and cstl-state.yaml. May be repeated after a failure.\n",
    {},
    {"endpoint", "init-secret-file", "reference-values"},
    run};

}  // namespace cstl::cli
