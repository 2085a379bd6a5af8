// What an Azure confidential VM adds to its evidence: the TEE's report and the runtime data that its paravisor left in
// the virtual TPM, for TDX turned into a quote by the host's quoting service, and AMD's certificates as the host caches
// them. All of it is made at boot and stays the same until the next; the TPM's quote is what is fresh.
#pragma once

#include "attest/platform/apart.h"
#include "attest/platform/metadata.h"
#include "attest/tpm/issue.h"

namespace cstl::azure {

constexpr uint32_t kHclIndex = 0x01400001;
constexpr uint32_t kAkHandle = 0x81000003;
constexpr uint32_t kAkCertificateIndex = 0x01c101d0;  // trusted launch: DER, perhaps padded

// Reads NV and asks the metadata service once, in a process that `confine` confines (attest/platform/apart.h), where
// its answers are read, too: what comes back is the quote, or certificates, as bytes to pass on. `collateral`: what is
// stapled, empty for none. `variant`: azure_sev_snp or azure_tdx. Without AMD's certificates an SEV-SNP evidence is
// still made: the verifier may have them. Errors: not_found (no HCL report: not such a machine),
// runtime_data_malformed, metadata_failed and those of work_apart() (TDX), tpm_failed.
Result<std::unique_ptr<tpm::EvidenceSource>> open_source(tpm::Device& device, Variant variant, MetadataService& metadata,
                                                         const Confine& confine, std::vector<uint8_t> collateral);

}  // namespace cstl::azure
