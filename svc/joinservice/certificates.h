// Kubelets' certificates, from the cluster's own signers by way of CertificateSigningRequest objects (one watch for all).
//
// Client certificates (kubernetes.io/kube-apiserver-client-kubelet): made on behalf of a joining node from the request in
// its join message, which the caller has checked; approved at once; what comes back must be for the key that was sent.
// Serving certificates (kubernetes.io/kubelet-serving): kubelets ask for them themselves. Approved only when the requester
// is system:node:<name>, in system:nodes, and the request is exactly that node's: csr.h, with the address on record. A
// node that is not on record yet is looked at again for as long as its request exists. Everything else is left as it is.
// Nothing here is secret; never logs: the hooks tell the program.
#pragma once

#include <map>

#include "svc/joinservice/csr.h"
#include "svc/joinservice/store.h"
#include "svc/kubernetes/client.h"

namespace cstl {

struct CertificateHooks {
  std::function<void(const std::string& node, const std::string& request)> on_serving_approved;
  std::function<void(const std::string& request, const std::string& requester, const Error&)> on_serving_left;
  std::function<void(const char* what, const Error&, const std::string& problem)> on_problem;
};

// The node whose serving certificate `object` (a CertificateSigningRequest that waits for approval) may have.
// Errors: csr_refused (the site names the check), unknown_node (not on record: it may be soon).
Result<std::string> judge_serving_request(const kubernetes::Json& object, const Nodes& nodes);

class Certificates {
 public:
  // All are borrowed and outlive this.
  Certificates(kubernetes::Client& client, Loop& loop, const Nodes& nodes, CertificateHooks hooks);
  ~Certificates();
  void start();

  // `der`: the request of `node`, `key`: its key. `done` gets the certificate (chain) as PEM. Errors: certificate_late
  // (10 s), bad_certificate (not for this key), csr_refused (denied or failed by someone else), and those of the client.
  void issue(const std::string& node, Bytes der, const P256Point& key, std::function<void(Result<std::string>)> done);

 private:
  struct Pending {
    P256Point key{};
    int64_t deadline = 0;
    std::function<void(Result<std::string>)> done;
  };
  void approve(const kubernetes::Json& object, const char* reason, int tries, std::function<void(Status)> done);
  void approve_again(const kubernetes::Json& before, const char* reason, int tries, std::function<void(Status)> done);
  void changed(const kubernetes::Json& object);
  void judge(const std::string& name, const kubernetes::Json& object);
  void finish(const std::string& request, Result<std::string> result);
  void tick();

  kubernetes::Client& client_;
  Loop& loop_;
  const Nodes& nodes_;
  CertificateHooks hooks_;
  std::map<std::string, Pending> pending_;               // by the object's name
  std::map<std::string, kubernetes::Json> undecided_;    // serving requests of nodes that are not on record yet
  kubernetes::Client::Id watch_ = 0;
  Loop::Id timer_ = 0;
  int64_t judge_again_ = 0;
};

}  // namespace cstl
