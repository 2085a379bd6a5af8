// One machine of each variant on this computer: a real software TPM with the NV of its cloud, report devices and metadata
// service that stand in for hardware and cloud, and a reference set that accepts the machine. What the stand-ins sign goes
// through the same verification as the real thing, under roots that the set pins.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "attest/platform/platform.h"
#include "attest/reference/appraise.h"
#include "tests/harness/cloud.h"
#include "tests/harness/metadata_server.h"
#include "tests/harness/snp_platform.h"
#include "tests/harness/swtpm.h"
#include "tests/harness/tdx_platform.h"
#include "tests/harness/tsm_folder.h"

namespace cstl::test {

// An evidence whose items a test may change.
struct OwnedEvidence {
  Variant variant = Variant::qemu_vtpm;
  std::vector<uint8_t> quote, signature, ak_public, ek_certificate, ek_chain, pcr_values, event_log, merkle, ak_certificate,
      tee_report, tee_certificates, tee_collateral, runtime_data, ccel, registers;
  static OwnedEvidence of(Bytes encoded);
  std::vector<uint8_t> encode() const;
};

// What the platform around the machine says. A test changes it before the machine is opened.
struct CloudFacts {
  std::function<void(snp::Report&)> snp;             // the report that firmware signs
  std::function<void(tdx::TdReport&)> tdx;
  std::function<void(Digest64&)> report_data;        // between the machine and its firmware
  std::function<void(TdxFacts&)> tdx_platform;
  std::function<void(NitroHypervisor::Facts&)> nitro;
  std::function<void(std::string&)> runtime_data;    // before its hash goes into the report
  std::function<void(std::vector<uint8_t>&)> hcl;    // as it stands in NV
  bool other_authority = false;                      // certifies AKs and hypervisors instead of the pinned one
  bool other_ak_certified = false;                   // the certificate is for another key
  bool other_snp_root = false;                       // the chip is none of the pinned AMD's
  bool other_tdx_root = false;
  bool no_certificates = false;                      // the host gives none
  bool certificate_expired = false;
  std::string project = "cstl-test";
  bool production = true;
  std::optional<gcp::Technology> technology;         // instead of the variant's own
  int64_t collateral_age = 0;                        // seconds
};

class CloudMachine {
 public:
  // `configfs`: report devices over a mounted stand-in of configfs-tsm, which needs root; else inside of this process.
  // `own_tpm`: a TPM of its own, not the one that all machines of this cloud share, one after the other.
  explicit CloudMachine(Variant variant, CloudFacts facts = {}, bool configfs = false, bool own_tpm = false);
  ~CloudMachine();

  Variant variant;
  CloudFacts facts;
  ReferenceSet set;                    // accepts the machine, whose facts are the defaults
  PlatformPaths paths;
  PlatformDevices devices() const;     // for Platform::open()
  // Opens the platform and makes evidence for `binding`; the last error if that fails.
  Result<std::vector<uint8_t>> evidence(const Digest32& binding);
  // The open platform and its attester, as a node would use them.
  Status open();
  std::unique_ptr<Platform> platform;
  std::unique_ptr<LocalAttester> attester;
  int64_t now() const;

  // The parts, for a machine that runs elsewhere. change() takes effect at once, but in the TPM's NV, which fill_nv()
  // writes anew (while nobody else has that TPM).
  void change(CloudFacts facts);
  void fill_nv();
  Swtpm* tpm() const;                  // nullptr without
  TsmAnswer report(const Digest64& report_data) const;
  MetadataAnswer metadata(const std::string& method, const std::string& path, const std::string& body) const;
  std::vector<uint8_t> document(Bytes nonce, Bytes user_data) const;  // of the Nitro hypervisor

 private:
  void describe();
  const TdxPlatform& platform_of_intel() const;
  const SnpChip& chip() const;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::test
