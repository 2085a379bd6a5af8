// What platforms add to an evidence (attest/tpm/issue.h: EvidenceSource); for attest/platform/platform.cc.
#pragma once

#include "attest/tpm/issue.h"
#include "attest/tsm/report_device.h"

namespace cstl {

// The cluster's register of a machine without TPM, as it is now.
using RegisterReader = std::function<Result<std::vector<uint8_t>>()>;

// A fresh SEV-SNP report for every quote, with the host's certificates. `registers` may be null: there is a TPM.
std::unique_ptr<tpm::EvidenceSource> snp_source(tsm::ReportDevice& device, RegisterReader registers,
                                                std::vector<uint8_t> collateral);
// A fresh TDX quote, with the log of the RTMRs.
std::unique_ptr<tpm::EvidenceSource> tdx_source(tsm::ReportDevice& device, std::vector<uint8_t> ccel,
                                                std::vector<uint8_t> collateral);
// The AK's certificate, the same for every quote. `certificate`: what an NV index holds: DER, perhaps padded.
// Errors: ak_missing (no DER there), too_long.
Result<std::unique_ptr<tpm::EvidenceSource>> certificate_source(Bytes certificate);
// One after the other.
std::unique_ptr<tpm::EvidenceSource> all_of(std::vector<std::unique_ptr<tpm::EvidenceSource>> sources);

}  // namespace cstl
