#include "crypto/base/log.h"
#include "svc/wire/recover.h"
#include "tools/cstl/client.h"
#include "tools/cstl/command.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
using nlohmann::json;

// Sends one waiting machine the two keys that it needs, after its evidence passed.
Status recover_one(Session& session, const Owner& owner, Uuid* disk) {
  TRY(session.send(FrameType::recover_query, Bytes()));
  TRY_LET(Frame answer, drive_to_frame(session, FrameType::recover_info));
  TRY_LET(RecoverInfo info, RecoverInfo::decode(answer.body.declassify()));
  *disk = info.disk;
  RecoverRequest request;
  TRY_LET(request.disk_key, derive_key(owner.master, KeyClass::disk, uuid_text(info.disk)));
  TRY_LET(request.measurement_key, derive_key(owner.master, KeyClass::cluster_measurement, ""));
  TRY_LET(SecretBuffer body, RecoverRequest::encode(request, owner.key, session.exporter()));
  TRY(session.send(FrameType::recover_request, body.declassify()));
  TRY_LET(Frame done, drive_to_frame(session, FrameType::recover_done));
  if (done.body.size() != 0) return fail(Code::trailing, "recover.done");
  return success();
}

int run(const Context& context) {
  const Arguments& arguments = context.arguments;
  std::string problem;
  std::string values_json;
  auto values = load_reference_values(context.workspace, arguments.get("reference-values"), &values_json, &problem);
  if (!values.ok()) return failure(context, "reference values", values.error(), problem);
  auto owner = load_owner(context.workspace, &problem);
  if (!owner.ok()) return failure(context, "master secret", owner.error(), problem);
  std::vector<std::string> endpoints = arguments.all("endpoint");
  if (endpoints.empty()) {
    auto state = load_state(context.workspace, &problem);
    if (!state.ok()) return failure(context, "recover", state.error(), problem);
    for (const NodeFacts& node : state->nodes) {
      if (node.role == Role::control_plane) endpoints.push_back(node.recover);
    }
  }
  if (endpoints.empty()) return failure(context, "recover", fail(Code::usage, "recover.endpoint"), "no machine is known");

  AppraisalPolicy policy;
  policy.values = &*values;
  policy.now = unix_now();
  policy.cluster = ClusterRule::outside;
  json reports = json::array();
  std::string report;
  int exit = kExitOk;
  // A machine that fails does not keep the others from their keys: etcd, for one, needs a majority of them.
  for (const std::string& endpoint : endpoints) {
    progress(context, "attesting " + endpoint);
    std::string detail;
    Uuid disk{};
    auto connection = connect_attested(endpoint, policy, 30000, &detail);
    Status done = connection.ok() ? recover_one(*connection->session, *owner, &disk) : Status(connection.error());
    if (done.ok()) {
      reports.push_back({{"endpoint", endpoint}, {"disk", uuid_text(disk)}});
      report += endpoint + ": disk " + uuid_text(disk) + " is open.\n";
      continue;
    }
    if (connection.ok()) detail = printable(connection->session->peer_text());
    if (exit == kExitOk) exit = exit_code_of(done.code());
    reports.push_back({{"endpoint", endpoint}, {"error", {{"code", code_name(done.code())}, {"detail", detail}}}});
    report += "FAILED  " + endpoint + "  " + describe(done.error()) + "\n  " + detail + "\n  what to do: " +
              code_advice(done.code()) + "\n";
  }
  result(context, report, {{"recovered", reports}});
  return exit;
}
}  // namespace

const Command kRecover = {
    "recover",
    "Give machines that wait for their disk key the keys of that disk, and nothing else.",
    "  --endpoint ADDR:PORT       of a recovery listener; may be repeated (default: all control planes of\n"
    "                             cstl-state.yaml; workers then rejoin by themselves)\n"
    "  --reference-values FILE    (default: the one that cstl-conf.yaml names)\n"
    "\nThe machine must pass attestation first; the message is signed by the owner key, bound to this session.\n",
    {},
    {"endpoint", "reference-values"},
    run};

}  // namespace cstl::cli
