// Real software TPMs for tests: swtpm with an EK certificate from a certificate authority of its own, in a temporary
// folder; ended and removed with the object.
#pragma once

#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "crypto/base/result.h"

namespace cstl::test {

// Runs a program to its end with output in `log`; true when it exits with 0.
bool run(const std::vector<std::string>& argv, const std::string& log = "/dev/null");

class Swtpm {
 public:
  // Started on first use, alive until the process ends. `second` is another TPM with another authority.
  static Swtpm& shared();
  static Swtpm& second();

  static std::unique_ptr<Swtpm> start();
  ~Swtpm();

  // As a reboot of the machine: PCRs and loaded keys are gone, seeds and NV stay. Connections end.
  void reset();

  std::string device() const { return "swtpm:path=" + folder_ + "/tpm"; }  // for Device::open() and for tpm2-tools' -T
  const std::string& folder() const { return folder_; }
  std::vector<uint8_t> root() const;      // DER of the authority's root certificate
  std::vector<uint8_t> issuer() const;    // of its intermediate, which is in the TPM's NV too

 private:
  Swtpm() = default;
  void power_on();
  std::string folder_;
  pid_t pid_ = -1;
};

}  // namespace cstl::test
