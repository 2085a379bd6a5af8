// node → joinservice, both sides attest. docs/wire/join.md.
#pragma once

#include "attest/reference/values.h"
#include "crypto/keys.h"
#include "crypto/sign.h"
#include "svc/wire/init.h"

namespace cstl {

// On the Node of a control plane, set once it is a member of etcd and its control plane is configured; the time.
constexpr const char* kJoinedAnnotation = "cstl.dev/joined";
constexpr size_t kMaxNodeName = 63;   // RFC 1123 label: [a-z0-9]([a-z0-9-]*[a-z0-9])?
bool valid_node_name(Bytes name);

constexpr size_t kMaxAddress = 45;    // INET6_ADDRSTRLEN without the zero
constexpr size_t kMaxCsr = 1024;
constexpr size_t kMaxJoinRequest = 16 + 1 + 2 + kMaxNodeName + 2 + kMaxAddress + 2 + kMaxCsr + 32;

struct JoinRequest {
  Uuid disk{};
  Role role = Role::worker;
  Bytes name;                         // borrowed; checked form
  Bytes address;                      // text of the node's IP address, at most kMaxAddress; borrowed, form not checked
  // What a cluster with Kubernetes needs. A node whose image has no Kubernetes leaves both out.
  Bytes csr;                          // PKCS#10 in DER for the kubelet's client certificate, at most kMaxCsr, or empty
  std::array<uint8_t, 32> wireguard_key{};  // X25519 public key; zeros: none
  static Result<JoinRequest> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

// The files of a control plane that all of them share, relative to /etc/kubernetes/pki, in the order of the wire.
enum class PkiFile : uint8_t { ca_crt, ca_key, sa_key, sa_pub, front_proxy_ca_crt, front_proxy_ca_key, etcd_ca_crt, etcd_ca_key };
constexpr size_t kPkiFiles = 8;
const char* pki_file_path(PkiFile file);  // "ca.crt", "etcd/ca.key", …
constexpr size_t kMaxPkiFile = 8 * 1024;

struct ControlPlaneTicket {           // carries secrets
  std::array<Bytes, kPkiFiles> pki;   // PEM, 1 to kMaxPkiFile bytes each, by PkiFile; borrowed
  Key32 secrets_key;                  // class cluster/secrets
};

// How to become a node of the Kubernetes cluster. Carries secrets. Everything is borrowed from the message; the forms are
// checked by who uses it (boot/kubernetes/join.h), which also must find them fit for its role.
struct KubernetesTicket {
  Bytes cluster;                      // JSON of ClusterConfig, 1 to kMaxCluster bytes
  Bytes endpoint;                     // of the API, "ip:port", 1 to 64 bytes
  Digest32 ca_hash{};                 // SHA-256 of the SubjectPublicKeyInfo of the cluster's CA
  Bytes token;                        // bootstrap token, "[a-z0-9]{6}.[a-z0-9]{16}"
  Bytes ca_certificate;               // of the cluster, PEM, 1 to 8192 bytes
  Bytes certificate;                  // the kubelet's client certificate, PEM chain, 1 to 16384 bytes
  std::optional<ControlPlaneTicket> control_plane;
};

struct JoinTicket {                   // carries secrets
  Key32 disk_key;                     // of the requested disk only
  Key32 measurement_key;
  Digest32 measurement_salt{};
  P256Point owner_key{};
  std::optional<KubernetesTicket> kubernetes;  // none: a cluster without Kubernetes
  static Result<JoinTicket> decode(Bytes body);
  Result<SecretBuffer> encode() const;
};

struct RejoinRequest {
  Uuid disk{};
  static Result<RejoinRequest> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

struct RejoinTicket {                 // carries secrets
  Key32 disk_key;
  Key32 measurement_key;
  static Result<RejoinTicket> decode(Bytes body);
  Result<SecretBuffer> encode() const;
};

}  // namespace cstl
