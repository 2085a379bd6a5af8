// The other files that Kubernetes gets from us, as texts. Pure functions; where they go is in boot/kubernetes/kubeadm.h.
#pragma once

#include <string>

#include "crypto/base/address.h"
#include "crypto/keys.h"
#include "crypto/sign.h"

namespace cstl::kubernetes {

// EncryptionConfiguration: Secrets in etcd under XSalsa20-Poly1305 (provider secretbox, which takes a key of 32 bytes and
// authenticates) with the key of class cluster/secrets; nothing else is accepted, so no Secret is ever stored or read in
// the clear. Secret.
SecretBuffer encryption_configuration(const Key32& key);

// What the API server writes down: who did what, no contents; neither health checks nor the machinery's own watching.
std::string audit_policy();

// JSON patch (RFC 6902) for kubeadm's target kube-apiserver: its probes connect to the port instead of asking for /livez,
// which it refuses to anonymous callers.
std::string api_server_patch(const IpAddress& address);
constexpr const char* kApiServerPatchName = "kube-apiserver+json.json";

// A kubeconfig for `server` ("10.0.2.15:6443"), whose CA is `ca_pem`. Who: a bootstrap token (then secret) …
std::string token_kubeconfig(std::string_view server, Bytes ca_pem, std::string_view token);
// … or a certificate and key in files, as kubeadm itself leaves it for kubelets.
std::string file_kubeconfig(std::string_view server, Bytes ca_pem, const std::string& user, const std::string& certificate,
                            const std::string& key);

}  // namespace cstl::kubernetes
