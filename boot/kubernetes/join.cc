#include "boot/kubernetes/join.h"

#include <cerrno>
#include <ctime>
#include <unistd.h>

#include "boot/kubernetes/api.h"
#include "boot/kubernetes/etcd.h"
#include "boot/kubernetes/files.h"
#include "crypto/base/fd.h"
#include "crypto/base/utc.h"
#include "crypto/certificate_request.h"
#include "crypto/x509.h"

namespace cstl::kubernetes {
namespace {

constexpr const char* kPki = "/etc/kubernetes/pki/";
constexpr const char* kKubeletConf = "/etc/kubernetes/kubelet.conf";
constexpr const char* kKubeletPki = "/var/lib/kubelet/pki";
// The name that the kubelet looks for is a link to a file with a date, so that it can replace it.
constexpr const char* kKubeletCertificate = "/var/lib/kubelet/pki/kubelet-client-1970-01-01-00-00-00.pem";
constexpr const char* kKubeletCurrent = "/var/lib/kubelet/pki/kubelet-client-current.pem";
constexpr const char* kEtcdManifest = "/etc/kubernetes/manifests/etcd.yaml";
constexpr int kPatienceMs = 60'000;
constexpr size_t kTokenId = 6, kTokenSecret = 16;

bool token_form(std::string_view token) {
  if (token.size() != kTokenId + 1 + kTokenSecret || token[kTokenId] != '.') return false;
  for (size_t i = 0; i < token.size(); ++i) {
    const char c = token[i];
    if (i != kTokenId && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

Result<std::vector<uint8_t>> first_certificate(Bytes pem, const char* site) {
  TRY_LET(auto certificates, certificates_from_file(pem));
  if (certificates.empty()) return fail(Code::bad_certificate, site);
  return std::move(certificates[0]);
}

Status make_link(const char* target, const char* path) {
  std::string temporary = std::string(path) + ".tmp";
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return fail_errno("join.link");
  if (symlink(target, temporary.c_str()) != 0) return fail_errno("join.link");
  if (rename(temporary.c_str(), path) != 0) return fail_errno("join.link");
  return success();
}

Status write_kubelet_identity(const KubernetesTicket& ticket, const NodePlace& node, const SigningKey& key) {
  TRY_LET(SecretBuffer pem, private_key_pem(key));
  Bytes certificate = ticket.certificate, secret = pem.declassify();
  SecretBuffer both(certificate.size() + 1 + secret.size());
  Writer w(both.space());
  w.bytes(certificate);
  w.bytes("\n");
  w.bytes(secret);
  TRY_LET(Bytes written, w.finish());
  TRY(make_folders(kKubeletPki, 0700));
  TRY(write_file_durably(kKubeletCertificate, written, 0600));
  TRY(make_link(kKubeletCertificate, kKubeletCurrent));
  return write_file_durably(kKubeletConf, file_kubeconfig(ticket.endpoint.text(), ticket.ca_certificate,
                                                          "system:node:" + node.name, kKubeletCurrent, kKubeletCurrent));
}

bool exists(const char* path) { return access(path, F_OK) == 0; }

// With what kubeadm asks for the cluster's configuration.
Status write_discovery(const SetupState& state, const NodePlace& node, std::string_view token) {
  TRY_LET(std::vector<uint8_t> ca, read_file(kCaFile, kMaxPkiFile));
  std::string text = token.empty() ? file_kubeconfig(state.endpoint, ca, "system:node:" + node.name, kKubeletCurrent, kKubeletCurrent)
                                   : token_kubeconfig(state.endpoint, ca, token);
  return write_file_durably(kDiscoveryFile, text, 0600);
}

// `kubeadm join` without some of its phases.
struct Joining {
  const SetupState& state;
  Role role;
  const NodePlace& node;
  Monitor& monitor;
  const Report& report;

  Status run(const std::vector<std::string>& skip, KubeletStart kubelet, std::string_view token) const {
    report.step("kubeadm join");
    TRY_LET(ConfigApi config, config_api(state.cluster.kubernetes));
    TRY_LET(std::string text, join_configuration(state.cluster, node, role == Role::control_plane));
    TRY(write_file_durably(kKubeadmFile, text, 0600));
    TRY(write_discovery(state, node, token));
    std::vector<std::string> arguments = {"join", "--config", kKubeadmFile};
    for (std::string& more : kubeadm_arguments(config, skip)) arguments.push_back(std::move(more));
    Status joined = run_kubeadm(std::move(arguments), kubelet, monitor, report);
    (void)unlink(kDiscoveryFile);  // it may hold the token
    return joined;
  }
};

// Where kubeadm adds no learners: certificates and kubelet first, then etcd, and only then the API server, which would
// start in vain before. The second run needs no token: the kubelet's certificate is known by then.
Status join_control_plane(const Joining& joining, bool registered, std::string_view token) {
  if (kubeadm_adds_learners(joining.state.cluster.kubernetes)) {
    std::vector<std::string> skip = {"preflight"};
    if (registered) skip.push_back("kubelet-start");
    if (exists(kEtcdManifest)) skip.push_back("control-plane-join/etcd");
    return joining.run(skip, registered ? KubeletStart::no : KubeletStart::yes, token);
  }
  if (!registered) {
    TRY(joining.run({"preflight", "control-plane-prepare/control-plane", "check-etcd", "control-plane-join"},
                    KubeletStart::yes, token));
  }
  TRY(join_etcd(joining.state.cluster, joining.node, joining.state.endpoint, joining.monitor, joining.report));
  return joining.run({"preflight", "control-plane-prepare/download-certs", "control-plane-prepare/certs",
                      "control-plane-prepare/kubeconfig", "check-etcd", "kubelet-start", "control-plane-join/etcd"},
                     KubeletStart::no, "");
}

}  // namespace

Result<ClusterConfig> check_kubernetes_ticket(const KubernetesTicket& ticket, Role role) {
  TRY_LET(ClusterConfig cluster, ClusterConfig::parse(ticket.cluster.text(), nullptr));
  if (!parse_endpoint(ticket.endpoint.text())) return fail(Code::bad_value, "ticket.endpoint");
  if (!token_form(ticket.token.text())) return fail(Code::bad_value, "ticket.token");
  TRY_LET(std::vector<uint8_t> ca, first_certificate(ticket.ca_certificate, "ticket.ca"));
  TRY_LET(Digest32 hash, certificate_spki_hash(ca));
  if (!equal(hash, ticket.ca_hash)) return fail(Code::bad_certificate, "ticket.ca_hash");
  TRY(first_certificate(ticket.certificate, "ticket.certificate"));
  if (ticket.control_plane.has_value() != (role == Role::control_plane)) return fail(Code::bad_value, "ticket.role");
  return cluster;
}

Status write_join_files(const KubernetesTicket& ticket, Role role, const NodePlace& node, const SigningKey& kubelet_key,
                        const std::string& state_file) {
  SetupState state;
  TRY_LET(state.cluster, check_kubernetes_ticket(ticket, role));
  state.address = node.address;
  state.endpoint = std::string(ticket.endpoint.text());
  TRY_LET(std::vector<uint8_t> certificate, first_certificate(ticket.certificate, "ticket.certificate"));
  TRY_LET(PublicKey key, certificate_key(certificate));
  if (key.kind != KeyKind::p256 || !equal(key.point, kubelet_key.point())) return fail(Code::bad_key, "ticket.certificate");

  TRY(make_folders(kConfigFolder, 0700));
  TRY(make_folders(std::string(kPki) + "etcd", 0700));
  TRY(write_file_durably(kCaFile, ticket.ca_certificate, 0644));
  if (ticket.control_plane) {
    for (size_t i = 0; i < kPkiFiles; ++i) {
      std::string path = std::string(kPki) + pki_file_path(static_cast<PkiFile>(i));
      TRY(write_file_durably(path.c_str(), ticket.control_plane->pki[i], 0600));
    }
    TRY(write_file_durably(kEncryptionFile, encryption_configuration(ticket.control_plane->secrets_key).declassify(), 0600));
  }
  TRY(write_kubelet_identity(ticket, node, kubelet_key));
  return state.store(state_file);
}

Status finish_join(SetupState& state, Role role, const NodePlace& node, std::string_view token, Monitor& monitor,
                   const Report& report, const std::string& state_file) {
  TRY(prepare_node(state.cluster, role, node.address, monitor, report));
  TRY_LET(Api api, Api::open(Access::with_certificate("https://" + state.endpoint, kCaFile, kKubeletCurrent, kKubeletCurrent),
                             report));
  const std::string path = "/api/v1/nodes/" + path_segment(node.name);
  // An earlier attempt may have come far: what must not be done twice is left out.
  const bool registered = exists("/var/lib/kubelet/config.yaml") && api.get(path, 0).ok();
  if (registered) {
    report.step("starting kubelet");
    TRY(start_kubelet(monitor));
  }
  const Joining joining{state, role, node, monitor, report};
  if (role == Role::control_plane) {
    TRY(join_control_plane(joining, registered, token));
  } else if (!registered) {
    TRY(joining.run({"preflight"}, KubeletStart::yes, token));
  }
  report.step("waiting for the node to register");
  TRY(api.wait_for_node(node.name, kPatienceMs * 3));
  if (role == Role::control_plane) {
    // The joinservice lets the next one in.
    TRY(api.merge(path, {{"metadata", {{"annotations", {{kJoinedAnnotation, utc_text(time(nullptr))}}}}}}, kPatienceMs));
  }
  state.phase = Phase::complete;
  return state.store(state_file);
}

}  // namespace cstl::kubernetes
