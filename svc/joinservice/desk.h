// The joinservice in Kubernetes: every join and rejoin as a chain of requests to the API server, none of which holds up
// another session. A job that does not end within kJobMs is refused (timeout); what the API server answers later is
// dropped. Each refusal carries a code and says whether to try again; nothing is promised before the record stands.
//
// join     decide → (control planes: the Lease) → keys of this node's keyservice → record → bootstrap token and kubelet
//          certificate → ticket → status.lastAttestation
// rejoin   decide → the record, read anew → keys → ticket → status.lastAttestation
//
// A ticket for a control plane alone carries the PKI and the key cluster/secrets, both fetched after the matched reference
// set was seen to admit that role. Secrets live in the job and are wiped with it. Never logs: the hooks tell the program.
#pragma once

#include "svc/joinservice/certificates.h"
#include "svc/joinservice/control_join.h"
#include "svc/joinservice/join.h"
#include "svc/joinservice/keys.h"
#include "svc/joinservice/kubernetes_store.h"
#include "svc/run/server.h"

namespace cstl {

constexpr int kJobMs = 25'000;

struct DeskHooks {
  // How a request ended; `record` is what it got a ticket for, nullptr when it was refused with `error`.
  std::function<void(FrameType request, const NodeRecord* record, const Error& error, const std::string& node,
                     const std::string& why)> on_end;
  std::function<void(const char* what, const Error&, const std::string& problem)> on_problem;
};

class JoinDesk {
 public:
  struct Parts {               // borrowed; outlive the desk
    kubernetes::Client* client;
    Loop* loop;
    KubernetesStore* store;
    Certificates* certificates;
    ControlPlaneLock* lock;
    const ClusterFacts* facts;   // its content may change between turns
    const Keyservice* keys;
    std::string ca_certificate;  // of the cluster, PEM
    std::string pki_folder;      // one file per PkiFile, "/" in its path replaced by "-"
  };
  JoinDesk(Parts parts, DeskHooks hooks) : parts_(std::move(parts)), hooks_(std::move(hooks)) {}

  void serve_with(Server& server) { server_ = &server; }  // before the first request; outlives the desk
  // Handlers for the server's table.
  Status join(Exchange& exchange);
  Status rejoin(Exchange& exchange);
  size_t jobs() const { return jobs_; }

 private:
  struct Job;
  using JobPtr = std::shared_ptr<Job>;
  JobPtr begin(Exchange& exchange, FrameType request);
  void decide(const JobPtr& job);
  void lock(const JobPtr& job);
  Status ask_keys(Job& job);
  void save(const JobPtr& job);
  void make_token(const JobPtr& job);
  void make_certificate(const JobPtr& job);
  void send_ticket(const JobPtr& job);
  Result<SecretBuffer> encode_ticket(const Job& job);
  void send_rejoin_ticket(const JobPtr& job, const Result<NodeRecord>& fresh);
  void send(const JobPtr& job, FrameType type, Result<SecretBuffer> body);
  void refuse(const JobPtr& job, const Error& error, const std::string& why = "");
  void end(const JobPtr& job, const Error& error, const std::string& why);

  Parts parts_;
  DeskHooks hooks_;
  Server* server_ = nullptr;
  size_t jobs_ = 0;
};

// The file of the mounted PKI folder: "etcd-ca.key".
std::string pki_file_name(PkiFile file);
// What a refusal tells the peer: the reason, or the code's own words, and whether trying again may help.
std::string refusal_text(const Error& error, const std::string& why);

}  // namespace cstl
