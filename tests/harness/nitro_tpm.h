// Makes a NitroTPM of a software TPM: stands between a program and swtpm on a socket of its own, passes every command
// on, and answers what swtpm cannot: the vendor's command 0x20000001, which hands a request in an NV index to the Nitro
// hypervisor and takes the answer into the same index, and indices as large as that needs (swtpm's end at 2 KiB). The
// command's form is that of AWS's tool (github.com/aws/NitroTPM-Tools, nitro-tpm-attest): two handles, both the index,
// one authorisation.
#pragma once

#include <functional>
#include <memory>

#include "tests/harness/cloud.h"

namespace cstl::test {

struct NitroTpmFaults {
  uint32_t request_code = 0;           // response code of the vendor's command, instead of an answer
  uint32_t define_code = 0;            // … of defining the index
  std::string refusal;                 // the hypervisor's error by name: {"Error": refusal}
  std::vector<uint8_t> answer;         // instead of a document
  bool cut_response = false;           // the vendor's command is answered by a header that announces more than there is
};

class NitroTpm {
 public:
  // `facts`: what the hypervisor knows; nonce and user_data are taken from the request. `tpm` must outlive the object.
  NitroTpm(Swtpm& tpm, const NitroHypervisor& hypervisor, NitroHypervisor::Facts facts);
  ~NitroTpm();
  std::string device() const;          // for tpm::Device::open()
  void behave(const NitroTpmFaults& faults);
  size_t indices() const;              // large ones that exist now
  // What the last request held.
  struct Request {
    std::vector<uint8_t> encoded, nonce, user_data;
    size_t largest_write = 0;
  };
  Request last() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::test
