#include "boot/kubernetes/init.h"

#include <unistd.h>

#include "boot/kubernetes/api.h"
#include "boot/kubernetes/files.h"
#include "boot/kubernetes/kubeadm.h"
#include "boot/kubernetes/state.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"
#include "svc/wire/join.h"

namespace cstl::kubernetes {
namespace {

constexpr const char* kPki = "/etc/kubernetes/pki/";
constexpr const char* kManifests = "/usr/share/cstl/manifests.json";
constexpr const char* kAdmin = "/etc/kubernetes/admin.conf";
constexpr int kPatienceMs = 180'000;
constexpr size_t kTokenId = 6, kTokenSecret = 16;

// "[a-z0-9]{6}.[a-z0-9]{16}", five random bits a character.
Result<std::string> make_token() {
  static constexpr char kDigits[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<uint8_t, kTokenId + kTokenSecret> random{};
  TRY(random_bytes(random));
  std::string out;
  for (size_t i = 0; i < random.size(); ++i) {
    if (i == kTokenId) out.push_back('.');
    out.push_back(kDigits[random[i] & 31]);
  }
  return out;
}

Result<SecretBuffer> read_secret_file(const std::string& path, size_t max) {
  TRY_LET(std::vector<uint8_t> data, read_file(path.c_str(), max));
  SecretBuffer out(data.size());
  if (!data.empty()) std::memcpy(out.space().data(), data.data(), data.size());
  wipe(data);
  return out;
}

Status write_encryption(const MasterSecret& master) {
  TRY_LET(Key32 key, derive_key(master, KeyClass::cluster_secrets, ""));
  return write_file_durably(kEncryptionFile, encryption_configuration(key).declassify(), 0600);
}

Status kubeadm_init(const InitPlan& plan, const std::string& token, Monitor& monitor, const Report& report) {
  const NodePlace place{plan.first.node.name, plan.first.address};
  TRY_LET(ConfigApi api, config_api(plan.cluster.kubernetes));
  TRY_LET(std::string config, init_configuration(plan.cluster, place, token));
  TRY(write_file_durably(kKubeadmFile, config, 0600));
  // What preflight looks for is part of the image; its other checks are ours or would only ask the registry.
  std::vector<std::string> skip = {"preflight"};
  if (!has_coredns()) skip.push_back("addon/coredns");
  std::vector<std::string> arguments = {"init", "--config", kKubeadmFile, "--skip-token-print"};
  for (std::string& more : kubeadm_arguments(api, skip)) arguments.push_back(std::move(more));
  Status ended = run_kubeadm(std::move(arguments), KubeletStart::yes, monitor, report);
  (void)unlink(kKubeadmFile);  // the token in it is deleted below, and ends by itself
  return ended;
}

Result<Digest32> ca_hash() {
  TRY_LET(std::vector<uint8_t> pem, read_file(kCaFile, kMaxPkiFile));
  TRY_LET(auto certificates, certificates_from_file(pem));
  if (certificates.empty()) return fail(Code::bad_certificate, "kubernetes.ca");
  return certificate_spki_hash(certificates[0]);
}

Status apply_secret(Api& api, Json object) {
  Status applied = api.apply(object, kPatienceMs);
  wipe_object(object);
  return applied;
}

Status apply_pki(Api& api) {
  std::vector<SecretBuffer> files;
  for (size_t i = 0; i < kPkiFiles; ++i) {
    TRY_LET(SecretBuffer file, read_secret_file(std::string(kPki) + pki_file_path(static_cast<PkiFile>(i)), kMaxPkiFile));
    files.push_back(std::move(file));
  }
  return apply_secret(api, pki_object(files));
}

Status apply_manifests(Api& api, const std::vector<Json>& manifests, bool programs, const Report& report) {
  for (const Json& object : manifests) {
    const std::string& kind = object["kind"].get_ref<const std::string&>();
    if ((kind == "DaemonSet" || kind == "Deployment") != programs) continue;
    report.line("applying " + kind + " " + object["metadata"]["name"].get_ref<const std::string&>());
    TRY(api.apply(object, kPatienceMs));
  }
  return success();
}

Status make_ours(const InitPlan& plan, const std::string& token, Api& api, const std::vector<Json>& manifests,
                 const Report& report) {
  report.step("writing the cluster's objects");
  TRY(apply_manifests(api, manifests, false, report));
  TRY(apply_secret(api, master_secret_object(plan.master)));
  TRY(apply_pki(api));
  TRY_LET(Digest32 hash, ca_hash());
  TRY(api.apply(cluster_object(plan.cluster, plan.first, hash), kPatienceMs));
  TRY(api.apply(reference_values_object(plan.reference_values), kPatienceMs));
  TRY(api.apply(node_object(plan.first), kPatienceMs));
  TRY(apply_manifests(api, manifests, true, report));
  report.step("closing kubeadm's own way to join");
  for (const char* binding : {"kubeadm:node-autoapprove-bootstrap", "kubeadm:kubelet-bootstrap"}) {
    TRY(api.remove("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/" + path_segment(binding), kPatienceMs));
  }
  return api.remove("/api/v1/namespaces/kube-system/secrets/bootstrap-token-" + token.substr(0, kTokenId), kPatienceMs);
}

}  // namespace

Result<SecretBuffer> set_up_control_plane(const InitPlan& plan, Monitor& monitor, const Report& report) {
  report.step("reading the image's manifests");
  TRY_LET(std::vector<uint8_t> text, read_file(kManifests, kMaxManifests));
  std::string problem;
  auto manifests = parse_manifests(Bytes(text).text(), &problem);
  if (!manifests) {
    report.line(std::string(kManifests) + ": " + problem);
    return manifests.error();
  }
  *manifests = chosen_manifests(plan.cluster, std::move(*manifests));
  TRY(prepare_node(plan.cluster, Role::control_plane, plan.first.address, monitor, report));
  TRY(write_encryption(plan.master));
  TRY_LET(std::string token, make_token());
  report.step("kubeadm init");
  TRY(kubeadm_init(plan, token, monitor, report));

  report.step("waiting for the API server");
  Endpoint here{plan.first.address, kApiPort};
  // A client of the group system:masters or kubeadm:cluster-admins, whose files kubeadm has just written.
  TRY_LET(Api api, Api::open(Access::with_certificate("https://" + endpoint_text(here), kCaFile,
                                                      std::string(kPki) + "apiserver-kubelet-client.crt",
                                                      std::string(kPki) + "apiserver-kubelet-client.key"),
                             report));
  TRY(api.get("/api/v1/namespaces/kube-system", kPatienceMs));
  TRY(make_ours(plan, token, api, *manifests, report));
  report.step("waiting for the node to register");
  TRY(api.wait_for_node(plan.first.node.name, kPatienceMs));

  TRY_LET(SecretBuffer kubeconfig, read_secret_file(kAdmin, kMaxKubeconfig));
  SetupState state;
  state.phase = Phase::complete;
  state.address = plan.first.address;
  state.endpoint = endpoint_text(plan.cluster.endpoint);
  state.cluster = plan.cluster;
  TRY(state.store(plan.state_file));
  return kubeconfig;
}

}  // namespace cstl::kubernetes
