#include "boot/bootstrapper/kubernetes.h"

#include <algorithm>
#include <ctime>
#include <unistd.h>

#include "attest/platform/platform.h"
#include "boot/kubernetes/command.h"
#include "boot/kubernetes/init.h"
#include "boot/kubernetes/join.h"
#include "crypto/base/fd.h"
#include "crypto/base/log.h"
#include "crypto/base/secret_base64.h"
#include "crypto/certificate_request.h"
#include "crypto/x25519.h"

namespace cstl {
namespace {

constexpr int kFirstPauseS = 5, kLongestPauseS = 60;

Status store_wireguard_key(const NodeKeys& keys, const Places& places) {
  SecretBuffer line(base64_size(keys.wireguard.size()) + 1);
  Writer w(line.space());
  put_secret_base64(w, keys.wireguard.declassify());
  w.u8('\n');
  TRY_LET(Bytes written, w.finish());
  return write_file_durably(places.wireguard_key().c_str(), written, 0600);
}

// The owner's reference values must admit this machine too: with which set and identity goes into its record.
Result<kubernetes::FirstNode> judge_self(const Admission& admission, const Metadata& metadata, const Settings& settings,
                                         const NodeKeys& keys, Platform& platform, const kubernetes::Report& report) {
  kubernetes::FirstNode out;
  out.node = admission.node;
  out.disk = settings.disk;
  out.address = metadata.address.address;
  out.wireguard_key = keys.offer.wireguard_key;
  out.now = time(nullptr);
  TRY_LET(auto issuer, platform.attester());
  Digest32 nonce{};
  TRY(random_bytes(nonce));
  TRY_LET(EvidenceList evidence, issuer->sign({nonce}));
  std::string problem;
  TRY_LET(ReferenceValues values, ReferenceValues::parse(admission.reference_values, out.now, &problem));
  AppraisalPolicy policy;
  policy.values = &values;
  policy.cluster = ClusterRule::any;
  policy.now = out.now;
  Verdict verdict = appraise(evidence.at(0), nonce, policy);
  if (!verdict.passed()) {
    report.line(kubernetes::printable_line(verdict.summary()));
    return fail(verdict.code, "self.verdict");
  }
  if ((verdict.roles >> static_cast<unsigned>(Role::control_plane) & 1) == 0) return fail(Code::role_refused, "self.role");
  out.identity = verdict.identity;
  out.reference_set = verdict.reference_set;
  return out;
}

Result<SecretBuffer> enter_by_init(const Admission& admission, const Metadata& metadata, const Settings& settings,
                                   const NodeKeys& keys, NodeLock& lock, Platform& platform, Monitor& monitor,
                                   const kubernetes::Report& report, const std::function<Status()>& still_wanted) {
  report.step("comparing this machine with the reference values");
  TRY_LET(kubernetes::FirstNode first, judge_self(admission, metadata, settings, keys, platform, report));
  TRY_LET(ClusterConfig cluster, ClusterConfig::parse(admission.cluster, nullptr));
  SecretBuffer kubeconfig(0);
  const std::string state_file = settings.places.kubernetes_state();
  Status entered = enter_cluster(admission, settings.places, lock, platform, monitor, report.step, [&]() -> Status {
    TRY(store_wireguard_key(keys, settings.places));
    kubernetes::InitPlan plan{cluster, first, *admission.master, admission.reference_values, state_file};
    TRY_LET(kubeconfig, kubernetes::set_up_control_plane(plan, monitor, report));
    report.step("asking whether the client still waits for its kubeconfig");
    return still_wanted();
  });
  if (!entered.ok()) return entered.error();
  return kubeconfig;
}

Result<SecretBuffer> enter_by_ticket(const Admission& admission, const Metadata& metadata, const Settings& settings,
                                     const NodeKeys& keys, NodeLock& lock, Platform& platform, Monitor& monitor,
                                     const kubernetes::Report& report) {
  TRY_LET(JoinTicket ticket, JoinTicket::decode(admission.ticket->declassify()));
  if (!ticket.kubernetes) return fail(Code::internal, "kubernetes.ticket");
  const kubernetes::NodePlace place{admission.node.name, metadata.address.address};
  Status entered = enter_cluster(admission, settings.places, lock, platform, monitor, report.step, [&]() -> Status {
    report.step("writing what the ticket brings");
    TRY(store_wireguard_key(keys, settings.places));
    return kubernetes::write_join_files(*ticket.kubernetes, admission.node.role, place, keys.kubelet,
                                        settings.places.kubernetes_state());
  });
  if (!entered.ok()) return entered.error();
  return SecretBuffer(0);
}

std::string token_of(const Admission* admission) {
  if (admission == nullptr || !admission->ticket) return {};
  auto ticket = JoinTicket::decode(admission->ticket->declassify());
  if (!ticket || !ticket->kubernetes) return {};
  return std::string(ticket->kubernetes->token.text());
}

}  // namespace

Result<std::optional<NodeKeys>> NodeKeys::make(const Metadata& metadata) {
  if (!kubernetes::find_program("containerd")) return std::optional<NodeKeys>();
  TRY_LET(SigningKey kubelet, SigningKey::generate());
  TRY_LET(Secret<32> wireguard, x25519_generate());
  NodeOffer offer;
  offer.address = ip_text(metadata.address.address);
  TRY_LET(offer.csr, make_certificate_request(kubelet, "system:nodes", "system:node:" + metadata.name));
  TRY_LET(offer.wireguard_key, x25519_public(wireguard));
  return std::optional<NodeKeys>(NodeKeys{std::move(kubelet), std::move(wireguard), std::move(offer)});
}

kubernetes::Report report_to(int waiter, std::string* step) {
  // The client may be gone, or there may be none.
  kubernetes::Report out;
  out.step = [waiter, step](std::string_view name) {
    *step = std::string(name);
    log_info("bootstrap.step", {{"step", *step}});
    if (waiter >= 0) (void)give_news(waiter, News{News::Kind::step, Code::ok, *step});
  };
  out.line = [waiter](std::string_view line) {
    log_info("kubernetes.says", {{"line", line}});
    if (waiter >= 0) (void)give_news(waiter, News{News::Kind::step, Code::ok, std::string(line)});
  };
  return out;
}

Result<SecretBuffer> enter_kubernetes(const Admission& admission, const Metadata& metadata, const Settings& settings,
                                      const NodeKeys* keys, NodeLock& lock, Platform& platform, Monitor& monitor,
                                      const kubernetes::Report& report,
                                      const std::function<Status()>& still_wanted) {
  if (keys == nullptr) {
    report.line("this machine's image has no containerd: it cannot be a node of a Kubernetes cluster");
    return fail(Code::unsupported, "kubernetes.image");
  }
  if (admission.ticket) return enter_by_ticket(admission, metadata, settings, *keys, lock, platform, monitor, report);
  return enter_by_init(admission, metadata, settings, *keys, lock, platform, monitor, report, still_wanted);
}

Status finish_kubernetes(const NodeState& node, const Settings& settings, const Admission* admission, Monitor& monitor) {
  std::string problem, step;
  const std::string state_file = settings.places.kubernetes_state();
  auto state = kubernetes::SetupState::load(state_file, &problem);
  if (!state) {
    log_error("kubernetes.state", state.error(), {{"file", state_file}, {"problem", problem}});
    return state.error();
  }
  if (admission != nullptr && !admission->ticket) return success();  // an init: everything runs already
  const kubernetes::NodePlace place{node.name, state->address};
  const kubernetes::Report report = report_to(-1, &step);
  std::string token = token_of(admission);
  for (int pause = kFirstPauseS;; pause = std::min(2 * pause, kLongestPauseS)) {
    Status up = state->phase == kubernetes::Phase::complete
                    ? kubernetes::resume_node(node.role, monitor, report)
                    : kubernetes::finish_join(*state, node.role, place, token, monitor, report, state_file);
    token.clear();
    if (up.ok()) {
      log_info("kubernetes.up", {{"name", node.name}, {"endpoint", state->endpoint}});
      return success();
    }
    log_error("kubernetes.failed", up.error(), {{"step", step}, {"again_in_s", int64_t{pause}}});
    sleep(static_cast<unsigned>(pause));
  }
}

}  // namespace cstl
