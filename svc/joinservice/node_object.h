// A node's record as a Kubernetes object: cstl.dev/v1alpha1 CstlNode, cluster-scoped, named as the node.
//
// spec {disk, identity, role, referenceSet, variant, address, wireguardPublicKey, firstJoined}; the last two addresses may
// be missing (no WireGuard). status {lastAttestation}. Pure; total for any JSON; nothing is secret. Unknown members are
// kept out of the record and of no consequence: the schema (policy/kubernetes) prunes them.
#pragma once

#include "crypto/base/json.h"
#include "svc/joinservice/nodes.h"

namespace cstl {

constexpr const char* kNodesPath = "/apis/cstl.dev/v1alpha1/cstlnodes";

// metadata.name, when it is a node name; else empty.
std::string object_name(const nlohmann::json& object);
// metadata.resourceVersion or another member of metadata; empty when there is none.
std::string object_meta(const nlohmann::json& object, const char* member);

// Errors: record_malformed (the site names the member).
Result<NodeRecord> record_of_object(const nlohmann::json& object);
// The disk that an object holds even when the rest of it cannot be read; nullopt when that can't be read either. The
// label cstl.dev/disk says it a second time.
std::optional<Uuid> disk_of_object(const nlohmann::json& object);

// The whole object, without status. `resource_version` (may be empty) makes a replacement fail when it changed.
nlohmann::json object_of_record(const NodeRecord& record, const std::string& resource_version);
// Merge patch of the status subresource. `now`: Unix seconds.
nlohmann::json attestation_patch(int64_t now);

}  // namespace cstl
