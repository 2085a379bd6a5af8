#include "svc/wire/verify.h"

#include "tools/cstl/client.h"
#include "tools/cstl/command.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
using nlohmann::json;

int run(const Context& context) {
  const Arguments& arguments = context.arguments;
  std::string problem;
  std::string text;
  auto values = load_reference_values(context.workspace, arguments.get("reference-values"), &text, &problem);
  if (!values.ok()) return failure(context, "reference values", values.error(), problem);

  AppraisalPolicy policy;
  policy.values = &*values;
  policy.now = unix_now();
  policy.cluster = ClusterRule::exactly;
  std::vector<std::string> endpoints = arguments.all("endpoint");
  if (arguments.has("cluster-id")) {
    if (!from_hex(arguments.get("cluster-id"), policy.cluster_id).ok()) {
      return failure(context, "verify", fail(Code::usage, "verify.cluster_id"), "--cluster-id takes 64 hex digits");
    }
  }
  if (!arguments.has("cluster-id") || endpoints.empty()) {
    auto state = load_state(context.workspace, &problem);
    if (!state.ok()) {
      return failure(context, "verify", state.error(), problem + " (or give --endpoint and --cluster-id)");
    }
    if (!arguments.has("cluster-id")) policy.cluster_id = state->cluster_id;
    if (endpoints.empty()) {
      for (const NodeFacts& node : state->nodes) endpoints.push_back(node.verify);
    }
  }
  if (endpoints.empty()) return failure(context, "verify", fail(Code::usage, "verify.endpoint"), "no machine is known");
  auto timeout = arguments.number("timeout", 30, 1, 3600);
  if (!timeout.ok()) return failure(context, "verify", timeout.error(), "--timeout takes seconds");

  json reports = json::array();
  std::string report;
  int exit = kExitOk;
  for (const std::string& endpoint : endpoints) {
    std::string detail;
    Verdict verdict;
    auto connection = connect_attested(endpoint, policy, static_cast<int>(*timeout) * 1000, &detail, &verdict);
    json entry = {{"endpoint", endpoint}, {"passed", false}};
    if (!verdict.claims.empty()) entry["verdict"] = json::parse(verdict.to_json(), nullptr, false);
    if (!connection.ok()) {
      if (exit == kExitOk) exit = exit_code_of(connection.code());
      entry["error"] = {{"code", code_name(connection.code())}, {"detail", detail}};
      report += "FAILED  " + endpoint + "  " + code_name(connection.code()) + ": " + detail + "\n";
      if (!verdict.claims.empty()) report += verdict.to_text();
      reports.push_back(entry);
      continue;
    }
    Session& session = *connection->session;
    auto answer = [&]() -> Result<Frame> {
      TRY(session.send(FrameType::verify_request, Bytes()));
      return drive_to_frame(session, FrameType::verify_response);
    }();
    auto facts = answer.ok() ? VerifyResponse::decode(answer->body.declassify())
                             : Result<VerifyResponse>(answer.error());
    if (facts.ok() && !equal(facts->cluster_id, policy.cluster_id)) facts = fail(Code::cluster_mismatch, "verify.facts");
    if (!facts.ok()) {
      if (exit == kExitOk) exit = exit_code_of(facts.code());
      entry["error"] = {{"code", code_name(facts.code())}, {"detail", ""}};
      report += "FAILED  " + endpoint + "  " + code_name(facts.code()) + "\n";
      reports.push_back(entry);
      continue;
    }
    entry["passed"] = true;
    entry["name"] = printable(facts->name.text());
    entry["role"] = role_name(facts->role);
    entry["version"] = printable(facts->version.text());
    entry["cluster_id"] = to_hex(facts->cluster_id);
    reports.push_back(entry);
    report += "PASSED  " + endpoint + "  " + printable(facts->name.text()) + " (" + role_name(facts->role) +
              "), cluster " + to_hex(facts->cluster_id) + "\n" + verdict.to_text();
  }
  result(context, report, {{"machines", reports}});
  return exit;
}
}  // namespace

const Command kVerify = {
    "verify",
    "Check from outside that machines are what they should be and belong to the cluster.",
    "  --endpoint ADDR:PORT       of a verificationservice; may be repeated (default: all of cstl-state.yaml)\n"
    "  --cluster-id HEX           expected clusterID (default: that of cstl-state.yaml)\n"
    "  --reference-values FILE    (default: the one that cstl-conf.yaml names)\n"
    "  --timeout SECONDS          to connect (default: 30)\n"
    "\nEvidence is fresh: each machine signs a nonce of this run, bound to this TLS session.\n",
    {},
    {"endpoint", "cluster-id", "reference-values", "timeout"},
    run};

}  // namespace cstl::cli
