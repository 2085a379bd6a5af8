// What clouds put around a virtual machine, for tests: authorities that certify attestation keys, a Nitro hypervisor that
// signs attestation documents, and the contents of a virtual TPM's NV as Azure and Google leave it, in a real swtpm.
#pragma once

#include <memory>

#include "attest/aws/document.h"
#include "attest/gcp/instance.h"
#include "attest/tpm/issue.h"
#include "tests/harness/der_writer.h"
#include "tests/harness/swtpm.h"

namespace cstl::test {

constexpr int64_t kCloudValidFrom = 1577836800;   // 2020-01-01: of every certificate that is made
constexpr int64_t kCloudValidUntil = 2366841600;  // 2045-01-01

// A root on P-256 and what it signs.
class CloudAuthority {
 public:
  explicit CloudAuthority(std::string name);
  const Der& root() const { return root_; }
  // For a key; `extensions`: contents of SEQUENCE OF Extension besides key usage.
  Der issue(const std::string& subject, Bytes spki, const Der& extensions = {}, int64_t not_after = kCloudValidUntil) const;

 private:
  std::string name_;
  SigningKey key_;
  Der root_;
};

Der spki_of(const tpm::Public& key);
// The value of Google's extension, and the extension.
Der gce_instance(const std::string& zone, const std::string& project, uint64_t project_number, const std::string& name,
                 uint64_t id, bool production);
Der gce_extension(Bytes instance);

// Signs attestation documents on P-384.
class NitroHypervisor {
 public:
  explicit NitroHypervisor(const CloudAuthority& authority);
  struct Facts {
    std::string module_id = "i-0123456789abcdef0-nitrotpm0123";
    std::string digest = "SHA384";
    std::array<Digest48, kPcrCount> pcrs{};
    uint32_t pcr_mask = (1u << kPcrCount) - 1;
    std::vector<uint8_t> nonce, user_data;
    bool break_signature = false;
  };
  std::vector<uint8_t> document(const Facts& facts) const;

 private:
  std::array<uint8_t, 48> scalar_{};
  Der certificate_, root_;
};

// Azure's: an RSA AK at 0x81000003, and the HCL report in NV. `report`: SEV-SNP report, or TDREPORT.
void make_azure_ak(Swtpm& tpm);
std::string azure_runtime_data(const tpm::Public& ak, const std::string& vm_id);
std::vector<uint8_t> hcl_report(uint32_t kind, Bytes report, Bytes runtime_data);
// Google's: the template of an AK on P-256 in NV.
void make_gce_template(Swtpm& tpm);
// Defines the index as platforms do and fills it, anew if it is there.
void write_nv(Swtpm& tpm, uint32_t index, Bytes data);

// A crypto-agile event log that grows with what the TPM measures.
class MeasuredLog {
 public:
  MeasuredLog();
  // TPM2_PCR_Event of `data`, and its event.
  void measure(tpm::Device& device, uint32_t pcr, uint32_t type, Bytes data);
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace cstl::test
