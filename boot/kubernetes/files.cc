#include "boot/kubernetes/files.h"

#include "boot/kubernetes/kubeadm.h"
#include "crypto/base/base64.h"
#include "crypto/base/json.h"
#include "crypto/base/secret_base64.h"

namespace cstl::kubernetes {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& document) { return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json kubeconfig(std::string_view server, Bytes ca_pem, const std::string& user, Json credentials) {
  return {{"apiVersion", "v1"},
          {"kind", "Config"},
          {"clusters", Json::array({{{"name", "cluster"},
                                     {"cluster", {{"certificate-authority-data", to_base64(ca_pem)},
                                                  {"server", "https://" + std::string(server)}}}}})},
          {"contexts", Json::array({{{"name", user}, {"context", {{"cluster", "cluster"}, {"user", user}}}}})},
          {"current-context", user},
          {"preferences", Json::object()},
          {"users", Json::array({{{"name", user}, {"user", std::move(credentials)}}})}};
}

Json audit_rule(const char* level, std::initializer_list<const char*> users, std::initializer_list<const char*> verbs) {
  Json out = {{"level", level}};
  for (const char* user : users) out["users"].push_back(user);
  for (const char* verb : verbs) out["verbs"].push_back(verb);
  return out;
}

}  // namespace

SecretBuffer encryption_configuration(const Key32& key) {
  constexpr std::string_view kBefore =
      R"({"apiVersion":"apiserver.config.k8s.io/v1","kind":"EncryptionConfiguration","resources":[{"resources":["secrets"],)"
      R"("providers":[{"secretbox":{"keys":[{"name":"cstl-1","secret":")";
  constexpr std::string_view kAfter = R"("}]}}]}]})" "\n";
  SecretBuffer out(kBefore.size() + base64_size(kKeySize) + kAfter.size());
  Writer w(out.space());
  w.bytes(kBefore);
  put_secret_base64(w, key.declassify());
  w.bytes(kAfter);
  auto written = w.finish();
  if (!written || written->size() != out.size()) trap("encryption.size");
  return out;
}

std::string audit_policy() {
  Json out = {{"apiVersion", "audit.k8s.io/v1"}, {"kind", "Policy"}, {"omitStages", Json::array({"RequestReceived"})}};
  Json& rules = out["rules"] = Json::array();
  rules.push_back({{"level", "None"}, {"nonResourceURLs", Json::array({"/healthz*", "/livez*", "/readyz*", "/version", "/metrics"})}});
  Json machinery = {{"level", "None"}, {"verbs", Json::array({"get", "list", "watch"})}};
  machinery["users"] = Json::array({"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"});
  rules.push_back(machinery);
  Json leases = {{"level", "None"}};
  leases["resources"] = Json::array({{{"group", "coordination.k8s.io"}, {"resources", Json::array({"leases"})}},
                                     {{"group", ""}, {"resources", Json::array({"events"})}}});
  rules.push_back(leases);
  Json nodes = {{"level", "None"}, {"userGroups", Json::array({"system:nodes"})}};
  nodes["verbs"] = Json::array({"get", "list", "watch"});
  nodes["resources"] = Json::array({{{"group", ""}, {"resources", Json::array({"nodes", "nodes/status", "pods", "services", "configmaps"})}}});
  rules.push_back(nodes);
  rules.push_back(audit_rule("Metadata", {}, {}));
  return text_of(out);
}

std::string api_server_patch(const IpAddress& address) {
  Json probe = {{"tcpSocket", {{"host", ip_text(address)}, {"port", kApiPort}}}, {"timeoutSeconds", 15}};
  Json out = Json::array();
  struct Probe { const char* name; int delay, period, failures; };
  // kubeadm's own numbers: liveness after 10 s, every 10 s, 8 times; readiness every second, 3 times; start 24 times.
  for (const Probe& p : {Probe{"livenessProbe", 10, 10, 8}, Probe{"readinessProbe", 0, 1, 3}, Probe{"startupProbe", 10, 10, 60}}) {
    Json value = probe;
    value["initialDelaySeconds"] = p.delay;
    value["periodSeconds"] = p.period;
    value["failureThreshold"] = p.failures;
    out.push_back({{"op", "add"}, {"path", std::string("/spec/containers/0/") + p.name}, {"value", std::move(value)}});
  }
  return text_of(out);
}

std::string token_kubeconfig(std::string_view server, Bytes ca_pem, std::string_view token) {
  return text_of(kubeconfig(server, ca_pem, "bootstrap", {{"token", std::string(token)}}));
}

std::string file_kubeconfig(std::string_view server, Bytes ca_pem, const std::string& user, const std::string& certificate,
                            const std::string& key) {
  return text_of(kubeconfig(server, ca_pem, user, {{"client-certificate", certificate}, {"client-key", key}}));
}

}  // namespace cstl::kubernetes
