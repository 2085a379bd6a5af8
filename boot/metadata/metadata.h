// Instance metadata: what the host tells a machine about its place. Untrusted by definition: a hostile host may say
// anything here, so nothing in it decides about trust. A wrong name, role, endpoint or variant makes the machine
// useless, never unsafe: whom the machine talks to is decided by evidence, and who initialises it by the owner's init.
//
// {"cstl":"metadata/1","name":"worker-0","role":"worker","variant":"qemu-vtpm",
//  "network":{"address":"10.0.2.15/24","gateway":"10.0.2.2","dns":["10.0.2.3"]},"join":["10.0.2.2:19090"],
//  "init_secret_sha256":"<hex>"}
//
// Mandatory: cstl, name, role, variant, network.address. Everything else may be absent. Refused: more than 16 KiB,
// unknown or repeated fields, wrong types, names instead of literal addresses, more than 8 endpoints or 3 name servers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/reference/values.h"
#include "crypto/base/address.h"

namespace cstl {

constexpr size_t kMaxMetadata = 16 * 1024;
constexpr size_t kMaxJoinEndpoints = 8;
constexpr size_t kMaxNameServers = 3;  // MAXNS of resolv.conf(5)
constexpr const char* kFwCfgMetadata = "/sys/firmware/qemu_fw_cfg/by_name/opt/cstl/metadata/raw";

struct Metadata {
  std::string name;                            // valid_node_name (svc/wire/join.h)
  Role role = Role::worker;
  Variant variant = Variant::qemu_vtpm;        // one that this build implements
  IpPrefix address;
  std::optional<IpAddress> gateway;            // same family as the address
  std::vector<IpAddress> dns;                  // name servers; may be empty
  std::vector<Endpoint> join;                  // joinservices to try, in this order; may be empty on a first control plane
  std::optional<Digest32> init_secret_sha256;  // without it the machine cannot be initialised, only join

  // Errors: metadata_malformed; then `problem` (may be null) names the field and what is wrong with it.
  static Result<Metadata> parse(std::string_view json, std::string* problem);
  // Deterministic; parses back to itself.
  std::string to_json() const;
};

// Where metadata comes from; one class per platform.
class MetadataProvider {
 public:
  virtual ~MetadataProvider() = default;
  // Errors: not_found (the platform offers none), metadata_malformed, io, denied. `problem` as above.
  virtual Result<Metadata> read(std::string* problem) = 0;
};

// QEMU's fw_cfg through sysfs (needs the kernel module qemu_fw_cfg), or any file that holds the same JSON.
class FwCfgMetadata final : public MetadataProvider {
 public:
  explicit FwCfgMetadata(std::string path = kFwCfgMetadata) : path_(std::move(path)) {}
  Result<Metadata> read(std::string* problem) override;

 private:
  std::string path_;
};

}  // namespace cstl
