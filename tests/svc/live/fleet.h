// A cluster in Kubernetes mode: a real etcd, API server and controller manager on loopback, attester, keyservice and
// joinservice as they ship, and nodes with real evidence that come to it. Any number of nodes share two software TPMs: one
// measured the image of workers, the other that of control planes (tests/harness/pooled_ak.h says what that makes of
// identities). Needs root, as the services do.
#pragma once

#include "svc/kubernetes/client.h"
#include "svc/wire/join.h"
#include "tests/harness/control_plane.h"
#include "tests/harness/pooled_ak.h"
#include "tests/svc/live/line.h"

namespace cstl::test {

// One machine that asks to join, with what it would put into its request.
struct FleetNode {
  std::string name, address;
  Uuid disk{};
  Role role = Role::worker;
  std::vector<uint8_t> csr, key_der;   // PKCS#10 for this name, and its private key
  std::string key_file;                // PEM
  std::array<uint8_t, 32> wireguard_key{};
  std::unique_ptr<PooledAk> ak;
  std::unique_ptr<TlsIdentity> identity;

  JoinRequest request() const;
};

// What came back: a ticket that borrows from `body`, or how it ended.
struct FleetAnswer {
  Error error;              // ok when there is a ticket
  Code code = Code::ok;     // the joinservice's own, when it refused
  std::string why;          // what it said
  SecretBuffer body{0};
  JoinTicket ticket;
  bool ok() const { return error.code == Code::ok; }
};

class Fleet {
 public:
  static Fleet& get();   // made on first use
  Fleet();
  ~Fleet();
  // Again, also `second` ones beside it on another port.
  void start_joinservice();
  std::unique_ptr<Service> another_joinservice(const std::string& endpoint, const std::string& log);

  // With a name, address, disk and keys that nobody else has; `image` decides the TPM.
  FleetNode node(Role image);
  FleetAnswer join(const FleetNode& node);                              // as it would ask
  FleetAnswer join(const FleetNode& node, const JoinRequest& request, const std::string& endpoint = "");
  FleetAnswer rejoin(const FleetNode& node, const Uuid& disk);
  // Sends any frame after both verdicts passed; the error frame's code, or the error of the session.
  Code send(const FleetNode& node, FrameType type, Bytes body);

  // A request that OpenSSL makes with the node's key for `subject`, with more arguments.
  std::vector<uint8_t> csr(const FleetNode& node, const std::string& subject, std::vector<std::string> more = {});

  // The API as an administrator, and as whoever holds a node's certificate or a token.
  kubernetes::Client& api() { return *admin_; }
  Result<nlohmann::json> get(const std::string& path);
  std::unique_ptr<kubernetes::Client> as_node(const FleetNode& node, const FleetAnswer& answer);
  std::unique_ptr<kubernetes::Client> as_token(const std::string& token);

  std::string folder;
  MasterSecret master;
  Digest32 salt{}, cluster_id{};
  P256Point owner{};
  std::string config;                      // cluster.json
  std::string endpoint;                    // of the joinservice
  ReferenceValues references;              // of the joinservice; sets "fleet-workers", "fleet-control"
  ReferenceValues accepted;                // of nodes
  Helper& plane;
  std::unique_ptr<Service> attester, keyservice, joinservice;

 private:
  struct Tpm;
  std::string account_token();
  std::unique_ptr<Tpm> own_, workers_, control_;
  std::unique_ptr<kubernetes::Client> admin_;
  unsigned next_ = 0;
};

}  // namespace cstl::test
