// The services as they ship, each with a software TPM of its own, and machines that come to them: what the live tests
// share. The programs are those of CSTL_PROGRAMS (default: build/release). Needs root, as the services do.
#pragma once

#include <sys/types.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "attest/tpm/issue.h"
#include "boot/join/client.h"
#include "tests/harness/swtpm.h"

namespace cstl::test {

// A running service; ended with the object.
class Service {
 public:
  // Waits until it says service.ready; aborts the test run when it does not.
  Service(const std::string& program, std::vector<std::string> arguments, std::string log);
  ~Service();
  pid_t pid() const { return pid_; }
  std::string log() const;
  bool logs(const std::string& text) const;   // within five seconds
  // The status that ended it, when it ends within five seconds; else -1.
  int wait_status();

 private:
  std::string log_;
  pid_t pid_ = -1;
};

// A machine: its TPM with the PCRs of an image that measured `pcr4` and `pcr9`, and its side of every connection.
struct Machine {
  Machine(const std::string& pcr4, const std::string& pcr9);
  std::array<Digest32, kPcrCount> pcrs();
  void release_tpm();   // closes our connection, so that a service can have the TPM
  JoinParty party();

  std::unique_ptr<Swtpm> tpm;
  std::unique_ptr<tpm::Device> device;
  std::unique_ptr<tpm::Issuer> issuer;
  std::unique_ptr<QuoteBatch> batch;
  std::unique_ptr<TlsIdentity> identity;
  ReferenceValues accepted;
};

// One cluster, made on first use: attester, keyservice, joinservice on a control plane, attester and verificationservice on
// another machine of it, a worker with the right image, one with another image (PCR 9), and another worker with the right image.
struct Line {
  static Line& get();
  Line();
  ~Line();
  void start_services();   // again, after a test killed one

  std::string folder;
  MasterSecret master;
  Digest32 salt{}, cluster_id{};
  P256Point owner{};
  Machine control_plane, verified, worker, other_image, other_worker;
  std::unique_ptr<Service> attester, keyservice, joinservice, other_attester, verificationservice;
  Endpoint join_endpoint, verify_endpoint;
  ReferenceValues references;
};

std::string programs();   // folder of the shipped programs

// Options of every service: an exporter on a port that is free, and logfmt. With CSTL_SERVICE_PORTS in the environment
// (tests/svc/metrics_test.sh, in a network namespace of its own) on the service's `port`, and JSON.
std::vector<std::string> monitored(std::vector<std::string> arguments, unsigned port);

}  // namespace cstl::test
