#include "boot/kubernetes/objects.h"

#include <algorithm>

#include "crypto/base/base64.h"
#include "crypto/base/secret_base64.h"
#include "crypto/base/utc.h"
#include "svc/kubernetes/client.h"
#include "svc/wire/join.h"

namespace cstl::kubernetes {
namespace {

constexpr size_t kMaxObjects = 256;

struct Kind {
  const char *version, *kind, *plural;
  bool namespaced;
} const kKinds[] = {
    {"v1", "Namespace", "namespaces", false},
    {"v1", "ServiceAccount", "serviceaccounts", true},
    {"v1", "ConfigMap", "configmaps", true},
    {"v1", "Secret", "secrets", true},
    {"v1", "Service", "services", true},
    {"apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false},
    {"apps/v1", "DaemonSet", "daemonsets", true},
    {"apps/v1", "Deployment", "deployments", true},
    {"networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true},
    {"rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false},
    {"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false},
    {"rbac.authorization.k8s.io/v1", "Role", "roles", true},
    {"rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true},
    {"scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", false},
    {"cstl.dev/v1alpha1", "CstlNode", "cstlnodes", false},
};

// The member as text; empty when it is missing or something else.
std::string text_of(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  auto found = object.find(name);
  const std::string* text = found == object.end() ? nullptr : found->get_ptr<const std::string*>();
  return text ? *text : std::string();
}

Json object_of(const char* version, const char* kind, const char* name, bool namespaced = true) {
  Json out = {{"apiVersion", version}, {"kind", kind}, {"metadata", {{"name", name}}}};
  if (namespaced) out["metadata"]["namespace"] = kNamespace;
  return out;
}

}  // namespace

Result<std::string> object_path(const Json& object) {
  if (!object.is_object()) return fail(Code::manifests_malformed, "object.form");
  std::string version = text_of(object, "apiVersion"), kind = text_of(object, "kind");
  auto metadata = object.find("metadata");
  if (metadata == object.end()) return fail(Code::manifests_malformed, "object.metadata");
  std::string name = text_of(*metadata, "name"), space = text_of(*metadata, "namespace");
  if (name.empty()) return fail(Code::manifests_malformed, "object.name");
  for (const Kind& k : kKinds) {
    if (version != k.version || kind != k.kind) continue;
    if (space.empty() == k.namespaced) return fail(Code::manifests_malformed, "object.namespace");
    std::string out = version == "v1" ? "/api/v1" : "/apis/" + version;
    if (k.namespaced) out += "/namespaces/" + path_segment(space);
    return out + "/" + k.plural + "/" + path_segment(name);
  }
  return fail(Code::manifests_malformed, "object.kind");
}

Result<std::vector<Json>> parse_manifests(std::string_view json, std::string* problem) {
  auto document = parse_json(json, kMaxManifests, 64);
  if (!document || !document->is_array() || document->size() > kMaxObjects) {
    if (problem) *problem = "it is not a JSON list of at most 256 objects";
    return fail(Code::manifests_malformed, "manifests.json");
  }
  std::vector<Json> out;
  for (Json& object : *document) {
    if (!object_path(object)) {
      if (problem) *problem = "object " + std::to_string(out.size()) + " is malformed or of an unknown kind";
      return fail(Code::manifests_malformed, "manifests.object");
    }
    out.push_back(std::move(object));
  }
  return out;
}

std::vector<Json> chosen_manifests(const ClusterConfig& cluster, std::vector<Json> manifests) {
  const auto left_out = [&cluster](const Json& object) {
    return cluster.network != PodNetwork::wireguard && object["metadata"]["name"] == "cstl-nodenetwork";
  };
  manifests.erase(std::remove_if(manifests.begin(), manifests.end(), left_out), manifests.end());
  return manifests;
}

Json master_secret_object(const MasterSecret& master) {
  SecretBuffer both(2 * kKeySize);
  Writer w(both.space());
  w.bytes(master.key.declassify());
  w.bytes(master.salt.declassify());
  Json out = object_of("v1", "Secret", "cstl-master-secret");
  out["type"] = "Opaque";
  out["data"]["master"] = std::string(secret_base64(both.declassify()).declassify().text());
  return out;
}

Json pki_object(const std::vector<SecretBuffer>& files) {
  Json out = object_of("v1", "Secret", "cstl-pki");
  out["type"] = "Opaque";
  for (size_t i = 0; i < files.size(); ++i) {
    std::string name = pki_file_path(static_cast<PkiFile>(i));
    for (char& c : name) c = c == '/' ? '-' : c;
    out["data"][name] = std::string(secret_base64(files[i].declassify()).declassify().text());
  }
  return out;
}

Json cluster_object(const ClusterConfig& cluster, const FirstNode& first, const Digest32& ca_hash) {
  Json out = object_of("v1", "ConfigMap", "cstl-cluster");
  out["data"] = {{"cluster.json", cluster.to_json()},
                 {"cluster-id", to_hex(first.node.cluster_id)},
                 {"measurement-salt", to_hex(first.node.measurement_salt)},
                 {"owner-key", to_hex(first.node.owner_key)},
                 {"ca-hash", to_hex(ca_hash)}};
  return out;
}

Json reference_values_object(const std::string& reference_values) {
  Json out = object_of("v1", "ConfigMap", "cstl-reference-values");
  out["data"] = {{"reference-values.json", reference_values}};
  return out;
}

Json node_object(const FirstNode& first) {
  Json out = object_of("cstl.dev/v1alpha1", "CstlNode", first.node.name.c_str(), false);
  out["metadata"]["labels"] = {{"cstl.dev/disk", uuid_text(first.disk)}};
  out["spec"] = {{"disk", uuid_text(first.disk)},
                 {"identity", to_hex(first.identity)},
                 {"role", role_name(first.node.role)},
                 {"referenceSet", first.reference_set},
                 {"variant", variant_name(first.node.variant)},
                 {"address", ip_text(first.address)},
                 {"firstJoined", utc_text(first.now)}};
  if (first.wireguard_key != std::array<uint8_t, 32>{}) out["spec"]["wireguardPublicKey"] = to_base64(first.wireguard_key);
  return out;
}

void wipe_object(Json& object) {
  for (Json& member : object) {
    if (std::string* text = member.get_ptr<std::string*>()) {
      wipe(MutBytes(reinterpret_cast<uint8_t*>(text->data()), text->size()));
    } else if (member.is_structured()) {
      wipe_object(member);
    }
  }
}

}  // namespace cstl::kubernetes
