// The table of lies: for each variant, every fact that its evidence rests on is made wrong once, alone, and has an error of
// its own. What a lie changes is either what the platform says (and signs, where it signs), or the evidence on its way.
#pragma once

#include "tests/attest/platform/machine.h"

namespace cstl::test {

struct Lie {
  Variant variant;
  std::string name;                               // as a sentence
  std::function<void(CloudFacts&)> platform;      // may be empty
  std::function<void(OwnedEvidence&)> evidence;   // may be empty
  Code code;                                      // of the verdict
  std::string claim;                              // that failed
  bool in_cluster = false;                        // the machine entered a cluster before
};

std::vector<Lie> lies();
constexpr Variant kAllVariants[] = {
    Variant::qemu_vtpm,   Variant::openstack_qemu_vtpm, Variant::qemu_tdx,    Variant::aws_nitro_tpm, Variant::aws_sev_snp,
    Variant::azure_sev_snp, Variant::azure_tdx,         Variant::azure_trustedlaunch, Variant::gcp_sev_es,
    Variant::gcp_sev_snp, Variant::tpm,                 Variant::sev_snp,     Variant::tdx};

}  // namespace cstl::test
