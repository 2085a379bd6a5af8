#include "svc/wire/verify.h"

#include "attest/exchange/ear.h"
#include "attest/platform/base64url.h"
#include "crypto/base/fd.h"
#include "tools/cstl/client.h"
#include "tools/cstl/evidence.h"
#include "tools/cstl/measure.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
using nlohmann::json;

// A file of its own per machine, so that one can be shown to someone else.
std::string saved_name(const std::string& path, size_t machine, size_t machines) {
  return machines == 1 ? path : path + "." + std::to_string(machine);
}

// What -o ear needs, looked at before anything is asked of a machine.
struct EarOutput {
  std::optional<SigningKey> key;
  EarOptions options;
  std::vector<EarMachine> machines;
};

Status prepare_ear(const Arguments& arguments, EarOutput* out, std::string* problem) {
  *problem = "-o ear needs --ear-key, a private key (cstl reference keygen makes one)";
  if (!arguments.has("ear-key")) return fail(Code::usage, "ear.key");
  TRY_LET(SigningKey key, load_signing_key(arguments.get("ear-key"), problem));
  out->key.emplace(std::move(key));
  *problem = "--ear-lifetime takes 1 to 86400 seconds";
  TRY_LET(out->options.lifetime, arguments.number("ear-lifetime", 300, 1, 86400));
  if (arguments.has("ear-nonce")) {
    *problem = "--ear-nonce takes base64url of 8 to 64 bytes";
    auto nonce = from_base64url(arguments.get("ear-nonce"), kMaxEarNonce);
    if (!nonce.ok() || nonce->size() < kMinEarNonce) return fail(Code::usage, "ear.nonce");
    out->options.nonce = std::move(*nonce);
  }
  problem->clear();
  return success();
}

int print_ear(const Context& context, EarOutput& ear, int exit) {
  ear.options.now = unix_now();
  auto token = ear_token(ear.machines, ear.options, *ear.key);
  if (!token.ok()) return failure(context, "attestation result", token.error());
  std::printf("%s\n", token->c_str());
  return exit;
}

// Evidence in a file: no cluster, no session.
int run_file(const Context& context, AppraisalPolicy policy, EarOutput& ear) {
  policy.cluster = context.arguments.has("cluster-id") ? ClusterRule::exactly : ClusterRule::any;
  std::string problem;
  auto verdict = appraise_file(context.arguments, policy, &problem);
  if (!verdict.ok()) return failure(context, "evidence", verdict.error(), problem);
  int exit = verdict->passed() ? kExitOk : exit_code_of(verdict->code);
  if (!verdict->passed() && exit == kExitFailure) exit = kExitAttestation;  // a certificate's code, say: the evidence is refused
  if (context.ear) {
    ear.machines.push_back({"evidence", *verdict});
    return print_ear(context, ear, exit);
  }
  result(context, verdict->to_text(), json::parse(verdict->to_json(), nullptr, false));
  return exit;
}

int run(const Context& context) {
  const Arguments& arguments = context.arguments;
  std::string problem;
  std::string text;
  EarOutput ear;
  if (context.ear) {
    Status prepared = prepare_ear(arguments, &ear, &problem);
    if (!prepared.ok()) return failure(context, "verify", prepared.error(), problem);
  }
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
  if (arguments.has("evidence")) return run_file(context, policy, ear);
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
    std::vector<uint8_t> saved;
    auto connection = connect_attested(endpoint, policy, static_cast<int>(*timeout) * 1000, &detail, &verdict, kRequestMs,
                                       arguments.has("save-evidence") ? &saved : nullptr);
    if (context.ear) ear.machines.push_back({printable(endpoint), verdict});
    if (!saved.empty()) {
      std::string path = saved_name(arguments.get("save-evidence"), reports.size(), endpoints.size());
      Status stored = write_file_durably(path.c_str(), saved, 0644);
      if (!stored.ok()) return failure(context, "saving evidence", stored.error(), path);
    }
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
      // What passed by itself is not the machine that was meant.
      if (context.ear) ear.machines.back().verdict.code = facts.code();
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
  if (context.ear) return print_ear(context, ear, exit);
  result(context, report, {{"machines", reports}});
  return exit;
}
}  // namespace

const Command kVerify = {
    "verify",
    "Check that machines are what they should be and belong to the cluster; or evidence in a file.",
    "  --endpoint ADDR:PORT       of a verificationservice; may be repeated (default: all of cstl-state.yaml)\n"
    "  --cluster-id HEX           expected clusterID (default: that of cstl-state.yaml)\n"
    "  --reference-values FILE    (default: the one that cstl-conf.yaml names)\n"
    "  --timeout SECONDS          to connect (default: 30)\n"
    "  --save-evidence FILE       keep what the machine sent (FILE.0, FILE.1, … if there are several)\n"
    "\nEvidence is fresh: each machine signs a nonce of this run, bound to this TLS session.\n"
    "\n  --evidence FILE            appraise this file instead: what --save-evidence wrote, an SEV-SNP report, a TDX quote,\n"
    "                             or a TPM quote (tpm2_quote -m). It is never fresh, and the verdict says so.\n"
    "  --nonce HEX                what it must be bound to: REPORT_DATA, or the nonce of a TPM quote\n"
    "  --certificates FILE        SEV-SNP: VCEK or VLEK, then ASK or ASVK, ARK; may be repeated\n"
    "  --collateral DIR           SEV-SNP and TDX: the vendor's answers, in files (docs/attestation-snp.md, -tdx.md)\n"
    "  --product NAME             SEV-SNP, report version 2: Milan, Genoa or Turin\n"
    "  --ccel FILE                TDX: the event log of the RTMRs\n"
    "  --signature FILE, --ak FILE, --pcrs FILE\n"
    "                             TPM: tpm2_quote -s and -o, tpm2_createak -u\n"
    "  --event-log FILE, --ek-certificate FILE\n"
    "                             TPM: the firmware's log; the EK's certificate, then its issuers\n"
    "\nWith -o ear: an attestation result (EAR, a JWT signed with ES256) for other systems:\n"
    "  --ear-key FILE             private key, PEM, P-256\n"
    "  --ear-nonce TEXT           base64url of the nonce of whoever asks\n"
    "  --ear-lifetime SECONDS     (default: 300)\n",
    {},
    {"endpoint", "cluster-id", "reference-values", "timeout", "save-evidence", "evidence", "nonce", "certificates", "collateral",
     "product", "ccel", "signature", "ak", "pcrs", "event-log", "ek-certificate", "ear-key", "ear-nonce", "ear-lifetime"},
    run};

}  // namespace cstl::cli
