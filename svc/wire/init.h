// `cstl init` → bootstrapper. The server attests, the client proves the init secret and signs as owner. docs/wire/init.md.
#pragma once

#include "attest/reference/values.h"
#include "crypto/keys.h"
#include "crypto/sign.h"

namespace cstl {

constexpr size_t kMaxCluster = 64 * 1024;
constexpr size_t kMaxKubeconfig = 32 * 1024;

struct InitRequest {                 // carries secrets
  Secret<32> init_secret;            // its SHA-256 stands in the machine's metadata
  MasterSecret master;
  Digest32 measurement_salt{};       // public
  P256Point owner_key{};
  Bytes reference_values;            // JSON, at most kMaxReferenceValues; borrowed
  Bytes cluster;                     // JSON of ClusterConfig (boot/cluster/config.h), at most kMaxCluster; borrowed.
                                     // Empty: a cluster without Kubernetes
  P256Signature signature{};         // by owner_key over owner_digest("cstl-init-1", exporter, all fields before it)

  static Result<InitRequest> decode(Bytes body);
  // Encodes and signs. Errors: too_long, crypto_failed.
  static Result<SecretBuffer> encode(const InitRequest& fields, const SigningKey& owner, const Secret<32>& exporter);
  // Errors: owner_signature.
  static Status verify_owner(Bytes body, const Secret<32>& exporter);
};

struct InitProgress {                // any number of them before the response
  Bytes text;                        // at most 256 bytes, UTF-8
  static Result<InitProgress> decode(Bytes body);
  Result<Bytes> encode(MutBytes out) const;
};

struct InitResponse {                // carries a secret: the kubeconfig holds the administrator's key
  Digest32 cluster_id{};
  Uuid disk{};                       // of the machine's state disk, for the operator's records
  Bytes kubeconfig;                  // of the administrator, at most kMaxKubeconfig; empty without Kubernetes; borrowed
  static Result<InitResponse> decode(Bytes body);
  // Errors: too_long.
  Result<SecretBuffer> encode() const;
};

// SHA-256(label ‖ exporter ‖ SHA-256(signed fields)): what an owner signs, bound to this session.
Result<Digest32> owner_digest(std::string_view label, const Secret<32>& exporter, Bytes signed_fields);

}  // namespace cstl
