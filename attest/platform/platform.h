// The machine that this process runs on, as its attestation variant has it: what makes its evidence, and the register
// that says which cluster it is in. The only place that knows which device a variant needs. Blocking; not thread-safe.
//
// | variant | AK | its root of trust | TEE report |
// |---|---|---|---|
// | qemu-vtpm, openstack-qemu-vtpm, tpm | our template | EK certificate (NV 0x01c00002) | |
// | aws-nitro-tpm, aws-sev-snp | our template | attestation document of the hypervisor | sev-snp: configfs-tsm or /dev/sev-guest |
// | azure-trustedlaunch | 0x81000003 | certificate, NV 0x01c101d0 | |
// | azure-sev-snp, azure-tdx | 0x81000003 | HCL report, NV 0x01400001 | in it; tdx: quoted by the metadata service |
// | gcp-sev-es, gcp-sev-snp | template in NV 0x01c10003, else 0x01c10001 | certificate, NV 0x01c10002, 0x01c10000 | sev-snp: as AWS |
// | sev-snp | | | configfs-tsm or /dev/sev-guest |
// | tdx, qemu-tdx | | | configfs-tsm |
#pragma once

#include "attest/aws/issue.h"
#include "attest/platform/apart.h"
#include "attest/platform/metadata.h"
#include "attest/tpm/issue.h"
#include "attest/tsm/report_device.h"

namespace cstl {

struct PlatformPaths {
  std::string tpm = "/dev/tpmrm0";
  std::string event_log = "/sys/kernel/security/tpm0/binary_bios_measurements";  // empty: none is sent
  std::string ccel = "/sys/firmware/acpi/tables/data/CCEL";                      // empty, or no such file: none is sent
  std::string configfs = tsm::kConfigfsReports;
  std::string sev_guest = tsm::kSevGuest;
  std::string rtmr3 = "/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384";  // Linux 6.16 and later
  std::string cluster_register = "/run/cstl/cluster-register";  // sev-snp without TPM; in memory, so a reboot empties it
  std::string metadata = kMetadataService;
  std::string collateral = "/etc/cstl/tee-collateral";  // what is stapled to evidence; empty, or no such file: nothing
};

// Children that do for this process what it would have to do with rights that it gives up later: make TEE reports
// (attest/tsm/broker.h), and ask the metadata service and read its answers. As whom, and how they confine themselves;
// without either it is done here.
struct Brokers {
  unsigned uid = 0;
  Confine reports, metadata;
};

// Where a test's hardware comes in, in place of the kernel's and the hypervisor's.
struct PlatformDevices {
  std::function<Result<std::unique_ptr<tsm::ReportDevice>>(Variant)> reports;
  aws::Documents documents;
  // The value of RTMR3; with an `event` it is extended first.
  std::function<Result<Digest48>(const Digest48* event)> rtmr3;
  Brokers brokers;
};

class Platform {
 public:
  // Opens every device that the variant needs, so that the process can confine itself afterwards; the metadata service
  // is asked by attester() only. Errors: tpm_missing, tee_missing, tee_failed, and others of opening.
  static Result<std::unique_ptr<Platform>> open(Variant variant, const PlatformPaths& paths, PlatformDevices devices = {});
  ~Platform();

  Variant variant() const;
  tpm::Device* tpm();                        // nullptr: the variant has none
  int lifeline() const;                      // of the report device (attest/tsm/report_device.h); -1: none

  // Finds or makes the AK and reads what vouches for it. It borrows the platform's devices; one at a time.
  // Errors: tpm_failed, tee_failed, metadata_failed, not_found, and others of what is read.
  Result<std::unique_ptr<LocalAttester>> attester();

  // The cluster's register: PCR 15, RTMR3, or for sev-snp a file in memory whose value REPORT_DATA binds.
  // Errors of all three: tpm_failed, register_failed.
  Result<bool> in_cluster();
  // Extends it, and reads it back. Errors: pcr_not_zero (it is in a cluster); mismatch.
  Status enter_cluster(const Digest32& cluster_id);
  // Errors: cluster_mismatch.
  Status check_cluster(const Digest32& cluster_id);

 private:
  Platform();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl
