#include "boot/kubernetes/kubeadm.h"

#include "crypto/base/json.h"

namespace cstl::kubernetes {
namespace {

using Json = nlohmann::ordered_json;
using Arguments = std::vector<std::pair<std::string, std::string>>;

// Forward secrecy and AEAD only; TLS 1.3 has its own list, which Go does not let anyone choose. Every supported version
// knows these names.
constexpr const char* kSuites[] = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                                   "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"};
constexpr const char* kMinTls = "VersionTLS12";
constexpr const char* kAuditFolder = "/var/log/kubernetes/audit";
// Generous: a control plane in software emulation needs minutes; a broken one fails by other means first.
constexpr const char* kStartTimeout = "15m0s";
constexpr const char* kJoinTimeout = "5m0s";
constexpr const char* kTokenLife = "10m0s";
constexpr uint16_t kSeccompDefaultMinor = 25;  // on by default as a feature since then

std::string suites() {
  std::string out;
  for (const char* suite : kSuites) out += (out.empty() ? "" : ",") + std::string(suite);
  return out;
}

const char* api_name(ConfigApi api) {
  switch (api) {
    case ConfigApi::v1beta2: return "kubeadm.k8s.io/v1beta2";
    case ConfigApi::v1beta3: return "kubeadm.k8s.io/v1beta3";
    case ConfigApi::v1beta4: return "kubeadm.k8s.io/v1beta4";
  }
  trap("kubeadm.api");
}

Json arguments(ConfigApi api, const Arguments& list) {
  Json out = api == ConfigApi::v1beta4 ? Json::array() : Json::object();
  for (const auto& [name, value] : list) {
    if (api == ConfigApi::v1beta4) {
      out.push_back({{"name", name}, {"value", value}});
    } else {
      out[name] = value;
    }
  }
  return out;
}

Json host_path(const char* name, const char* path, bool read_only, const char* type) {
  return {{"name", name}, {"hostPath", path}, {"mountPath", path}, {"readOnly", read_only}, {"pathType", type}};
}

Json document(ConfigApi api, const char* kind) { return {{"apiVersion", api_name(api)}, {"kind", kind}}; }

Json registration(ConfigApi api, const ClusterConfig& cluster, const NodePlace& node) {
  // A plain path until 1.23, a URL since 1.24.
  const char* scheme = cluster.kubernetes.minor < 24 ? "" : "unix://";
  Json out = {{"name", node.name},
              {"criSocket", std::string(scheme) + kContainerdSocket},
              {"kubeletExtraArgs", arguments(api, {{"hostname-override", node.name}, {"node-ip", ip_text(node.address)}})}};
  if (api != ConfigApi::v1beta2) out["imagePullPolicy"] = "IfNotPresent";
  return out;
}

Json timeouts() {
  return {{"controlPlaneComponentHealthCheck", kStartTimeout}, {"kubeletHealthCheck", kJoinTimeout},
          {"kubernetesAPICall", "2m0s"}, {"etcdAPICall", kJoinTimeout}, {"tlsBootstrap", kJoinTimeout},
          {"discovery", kJoinTimeout}};
}

Json endpoint_of(const NodePlace& node) {
  return {{"advertiseAddress", ip_text(node.address)}, {"bindPort", kApiPort}};
}

Json cluster_document(ConfigApi api, const ClusterConfig& cluster, const Arguments& more_for_etcd) {
  Json out = document(api, "ClusterConfiguration");
  out["clusterName"] = cluster.name;
  out["kubernetesVersion"] = cluster.kubernetes.text();
  out["controlPlaneEndpoint"] = endpoint_text(cluster.endpoint);
  out["networking"] = {{"serviceSubnet", prefix_text(cluster.service_cidr)}, {"podSubnet", prefix_text(cluster.pod_cidr)}};
  // Smaller, and in software emulation made a hundred times faster, than RSA keys.
  if (api == ConfigApi::v1beta4) {
    out["encryptionAlgorithm"] = "ECDSA-P256";
  } else {
    out["featureGates"] = {{"PublicKeysECDSA", true}};
  }
  const std::string suite_names = suites();
  Json api_server;
  api_server["extraArgs"] = arguments(api, {
      {"anonymous-auth", "false"},
      {"audit-log-maxage", "30"},
      {"audit-log-maxbackup", "5"},
      {"audit-log-maxsize", "32"},
      {"audit-log-path", std::string(kAuditFolder) + "/audit.log"},
      {"audit-policy-file", kAuditPolicyFile},
      {"enable-admission-plugins", "NodeRestriction"},
      {"encryption-provider-config", kEncryptionFile},
      {"kubelet-certificate-authority", "/etc/kubernetes/pki/ca.crt"},
      {"profiling", "false"},
      {"tls-cipher-suites", suite_names},
      {"tls-min-version", kMinTls}});
  api_server["extraVolumes"] = Json::array({host_path("cstl-config", kConfigFolder, true, "Directory"),
                                            host_path("audit-log", kAuditFolder, false, "DirectoryOrCreate")});
  api_server["certSANs"] = Json::array({ip_text(cluster.endpoint.address)});
  for (const std::string& name : cluster.sans) {
    if (name != ip_text(cluster.endpoint.address)) api_server["certSANs"].push_back(name);
  }
  if (api != ConfigApi::v1beta4) api_server["timeoutForControlPlane"] = kStartTimeout;
  out["apiServer"] = std::move(api_server);
  // A slow machine that is busy for ten seconds must not lose its leaders: they end then, and their restarts keep it busy.
  constexpr const char* kLease = "60s";
  constexpr const char* kRenew = "45s";
  constexpr const char* kRetry = "5s";
  out["controllerManager"]["extraArgs"] = arguments(api, {{"flex-volume-plugin-dir", kPluginFolder},
                                                          {"leader-elect-lease-duration", kLease},
                                                          {"leader-elect-renew-deadline", kRenew},
                                                          {"leader-elect-retry-period", kRetry},
                                                          {"profiling", "false"},
                                                          {"tls-cipher-suites", suite_names},
                                                          {"tls-min-version", kMinTls}});
  out["scheduler"]["extraArgs"] = arguments(api, {{"leader-elect-lease-duration", kLease},
                                                  {"leader-elect-renew-deadline", kRenew},
                                                  {"leader-elect-retry-period", kRetry},
                                                  {"profiling", "false"},
                                                  {"tls-cipher-suites", suite_names},
                                                  {"tls-min-version", kMinTls}});
  // Slow disks and emulated machines must not lose their leader all the time; a runaway client must not fill the disk.
  Arguments etcd = {{"cipher-suites", suite_names},
                    {"election-timeout", "2500"},
                    {"heartbeat-interval", "250"},
                    {"quota-backend-bytes", "2147483648"}};
  etcd.insert(etcd.end(), more_for_etcd.begin(), more_for_etcd.end());
  out["etcd"]["local"] = {{"dataDir", "/var/lib/etcd"}, {"extraArgs", arguments(api, etcd)}};
  return out;
}

Json kubelet_document(const ClusterConfig& cluster) {
  Json out = {{"apiVersion", "kubelet.config.k8s.io/v1beta1"}, {"kind", "KubeletConfiguration"}};
  out["authentication"] = {{"anonymous", {{"enabled", false}}},
                           {"webhook", {{"enabled", true}}},
                           {"x509", {{"clientCAFile", "/etc/kubernetes/pki/ca.crt"}}}};
  out["authorization"] = {{"mode", "Webhook"}};
  out["cgroupDriver"] = "cgroupfs";
  out["containerLogMaxFiles"] = 3;
  out["containerLogMaxSize"] = "10Mi";
  out["failSwapOn"] = true;
  out["podPidsLimit"] = 4096;
  out["protectKernelDefaults"] = true;
  out["readOnlyPort"] = 0;
  out["rotateCertificates"] = true;
  if (cluster.kubernetes.minor >= kSeccompDefaultMinor) out["seccompDefault"] = true;
  out["serverTLSBootstrap"] = true;
  out["staticPodPath"] = "/etc/kubernetes/manifests";
  out["tlsCipherSuites"] = Json::array();
  for (const char* suite : kSuites) out["tlsCipherSuites"].push_back(suite);
  out["tlsMinVersion"] = kMinTls;
  out["volumePluginDir"] = kPluginFolder;
  return out;
}

Json proxy_document() {
  return {{"apiVersion", "kubeproxy.config.k8s.io/v1alpha1"},
          {"kind", "KubeProxyConfiguration"},
          {"metricsBindAddress", "127.0.0.1:10249"},
          {"mode", "iptables"}};
}

void patches(ConfigApi api, Json* out) {
  if (api != ConfigApi::v1beta2) (*out)["patches"] = {{"directory", kPatchesFolder}};
  if (api == ConfigApi::v1beta4) (*out)["timeouts"] = timeouts();
}

std::string joined(std::initializer_list<Json> documents) {
  std::string out;
  for (const Json& d : documents) {
    if (!out.empty()) out += "---\n";
    out += d.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return out;
}

}  // namespace

Result<ConfigApi> config_api(const KubernetesVersion& version) {
  TRY(version.supported());
  if (version.minor < 22) return ConfigApi::v1beta2;
  return version.minor < 31 ? ConfigApi::v1beta3 : ConfigApi::v1beta4;
}

Result<std::string> init_configuration(const ClusterConfig& cluster, const NodePlace& node, std::string_view token) {
  TRY_LET(ConfigApi api, config_api(cluster.kubernetes));
  Json init = document(api, "InitConfiguration");
  init["bootstrapTokens"] = Json::array({{{"token", std::string(token)}, {"ttl", kTokenLife},
                                          {"usages", Json::array({"authentication"})}}});
  init["localAPIEndpoint"] = endpoint_of(node);
  init["nodeRegistration"] = registration(api, cluster, node);
  patches(api, &init);
  return joined({init, cluster_document(api, cluster, {}), kubelet_document(cluster), proxy_document()});
}

Result<std::string> etcd_configuration(const ClusterConfig& cluster, const NodePlace& node, const std::string& initial) {
  TRY_LET(ConfigApi api, config_api(cluster.kubernetes));
  Json init = document(api, "InitConfiguration");
  init["localAPIEndpoint"] = endpoint_of(node);
  init["nodeRegistration"] = registration(api, cluster, node);
  patches(api, &init);
  return joined({init, cluster_document(api, cluster, {{"initial-cluster", initial}, {"initial-cluster-state", "existing"}})});
}

Result<std::string> join_configuration(const ClusterConfig& cluster, const NodePlace& node, bool control_plane) {
  TRY_LET(ConfigApi api, config_api(cluster.kubernetes));
  Json join = document(api, "JoinConfiguration");
  join["discovery"] = {{"file", {{"kubeConfigPath", kDiscoveryFile}}}};
  if (api != ConfigApi::v1beta4) join["discovery"]["timeout"] = kJoinTimeout;
  join["nodeRegistration"] = registration(api, cluster, node);
  if (control_plane) join["controlPlane"] = {{"localAPIEndpoint", endpoint_of(node)}};
  patches(api, &join);
  return joined({join});
}

std::vector<std::string> kubeadm_arguments(ConfigApi api, const std::vector<std::string>& skip) {
  std::vector<std::string> out;
  if (api == ConfigApi::v1beta2) {
    out.push_back("--experimental-patches");
    out.push_back(kPatchesFolder);
  }
  std::string phases;
  for (const std::string& phase : skip) phases += (phases.empty() ? "" : ",") + phase;
  if (!phases.empty()) out.push_back("--skip-phases=" + phases);
  return out;
}

}  // namespace cstl::kubernetes
