// What a new cluster gets from us, as Kubernetes objects, and where each kind of object lives in the API. Pure.
#pragma once

#include "attest/reference/appraise.h"
#include "boot/cluster/config.h"
#include "boot/state/node_state.h"
#include "crypto/base/json.h"
#include "crypto/keys.h"

namespace cstl::kubernetes {

using Json = nlohmann::json;

constexpr const char* kNamespace = "cstl-system";
constexpr size_t kMaxManifests = 1024 * 1024;

// The path of an object in the API ("/apis/apps/v1/namespaces/cstl-system/daemonsets/x"), from its apiVersion, kind,
// namespace and name. Errors: manifests_malformed, for kinds that nothing of ours needs too.
Result<std::string> object_path(const Json& object);

// The manifests of the image: a JSON array of objects, each of a known kind, in the order to apply them.
// Errors: manifests_malformed; `problem` (may be null) says which.
Result<std::vector<Json>> parse_manifests(std::string_view json, std::string* problem);

// Those of the image's manifests that a cluster gets, in their order: all, but without its own network cstl-nodenetwork
// stays out, its account and rights too.
std::vector<Json> chosen_manifests(const ClusterConfig& cluster, std::vector<Json> manifests);

// Facts of the cluster and its first node.
struct FirstNode {
  NodeState node;
  Uuid disk{};
  IpAddress address;
  std::array<uint8_t, 32> wireguard_key{};
  PlatformIdentity identity{};
  std::string reference_set;
  int64_t now = 0;                    // Unix seconds
};

// Secret: wipe_object() after use.
Json master_secret_object(const MasterSecret& master);
// `files`: by PkiFile, PEM. Keys of the object: paths with '/' as '-'. Secret too.
Json pki_object(const std::vector<SecretBuffer>& files);
Json cluster_object(const ClusterConfig& cluster, const FirstNode& first, const Digest32& ca_hash);
Json reference_values_object(const std::string& reference_values);
Json node_object(const FirstNode& first);
// Overwrites every text in it.
void wipe_object(Json& object);

}  // namespace cstl::kubernetes
