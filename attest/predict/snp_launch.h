// The launch measurement that an SEV-SNP report carries, computed from files alone: the chain of PAGE_INFO structures
// that SNP_LAUNCH_UPDATE hashes (AMD document 56860, 8.17, "PAGE_INFO"), for a machine that QEMU launches with OVMF, or
// EC2:
//   every page of the firmware, below 4 GiB; then the sections of its SEV metadata in their order (attest/predict/ovmf.h),
//   among them the page with the hashes of kernel, initrd and command line; then one VMSA per virtual processor, as
//   QEMU and KVM initialise it (AMD64 APM volume 2, table B-4).
// EC2 measures the CPUID page after the other sections, and its processors start with other values.
// Pure; time is linear in the sizes. Public data only.
#pragma once

#include "attest/predict/ovmf.h"
#include "crypto/hash.h"

namespace cstl {

constexpr unsigned kMaxVcpus = 4096;

enum class Hypervisor : uint8_t { qemu, ec2 };

// What -kernel, -initrd and -append hash to with kernel-hashes=on: SHA-256 each; of nothing if there is no initrd; the
// command line with its NUL.
struct KernelHashes {
  Digest32 kernel{}, initrd{}, cmdline{};
  static Result<KernelHashes> of(Bytes kernel, Bytes initrd, std::string_view cmdline);  // crypto_failed
};

// CPUID Fn0000_0001_EAX of a QEMU CPU model: "EPYC", "EPYC-Rome", "EPYC-Milan", "EPYC-Genoa", "EPYC-Turin", each also
// with "-v1" and the like behind. Errors: bad_value.
Result<uint32_t> vcpu_signature(std::string_view model);

struct SnpLaunch {
  Bytes firmware;                        // OVMF.fd, or OVMF_CODE.fd alone if the variables are a device of their own
  unsigned vcpus = 1;
  uint32_t vcpu_signature = 0;           // EC2 ignores it
  uint64_t features = 1;  // SEV_FEATURES of the VMSA: bit 0 SNP, bit 5 debug swap (KVM of Linux 6.9 and 6.10)
  Hypervisor hypervisor = Hypervisor::qemu;
  const KernelHashes* kernel = nullptr;  // null: the firmware boots from a disk
};

// Errors: snp_firmware_malformed (also: a kernel is given and the firmware has no page for its hashes), bad_value
// (vcpus), crypto_failed.
Result<Digest48> predict_snp_launch(const SnpLaunch& launch);

// The digest while it grows; predict_snp_launch() in steps, for those who know a part of it already.
class LaunchDigest {
 public:
  LaunchDigest() = default;
  explicit LaunchDigest(const Digest48& so_far) : digest_(so_far) {}
  Status add_firmware(Bytes firmware);
  Status add_sections(const SevMetadata& metadata, const SnpLaunch& launch);
  Status add_vcpus(const SevMetadata& metadata, const SnpLaunch& launch);
  const Digest48& value() const { return digest_; }

 private:
  Status add_page(uint8_t kind, uint64_t address, const Digest48& contents);
  Status add_contents(uint8_t kind, uint64_t address, Bytes page);
  Status add_section(const SevMetadata::Section& section, const SevMetadata& metadata, const SnpLaunch& launch);
  Digest48 digest_{};
};

}  // namespace cstl
