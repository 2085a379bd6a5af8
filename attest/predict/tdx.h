// What a TD will have in its registers, computed from files alone.
//
// MRTD, from a firmware image for TDX (TDVF: OVMF and the like): SHA-384 over what the host adds before the TD starts,
// in the order of the image's TDX metadata (Intel TDX Virtual Firmware Design Guide, 11; Intel TDX Module Base
// Specification, "TDH.MEM.PAGE.ADD" and "TDH.MR.EXTEND"):
//   for each page that is added      "MEM.PAGE.ADD" padded to 16 ‖ u64 guest physical address ‖ zeros: 128 bytes
//   for each 256 bytes measured      "MR.EXTEND" padded to 16 ‖ u64 guest physical address ‖ zeros: 128 bytes; the bytes
//
// RTMR2, from a unified kernel image: what systemd-stub and the Linux EFI stub measure (attest/predict/uki.h), with
// SHA-384, in the order of the boot: the image's sections (PCR 11), command line, initrd (PCR 9).
//
// RTMR1, from that image and the disk that it lies on: what EDK2 measures of a boot from that disk (UEFI 2.10, 38.4.1
// puts PCRs 2 to 6 there; OvmfPkg/Tcg/TdTcg2Dxe): the boot attempt, a separator, the partition table if the disk has
// one, the Authenticode hashes of the image and of the kernel in it, and the two ends of boot services. With nothing
// else in the machine that firmware would start: no option ROM, driver, shim or second attempt.
//
// RTMR0 is not predicted: the machine's configuration (TD HOB, ACPI tables of the hypervisor, boot variables) is in it.
// Read it from a machine that is trusted. Total, bounded by the files.
#pragma once

#include <vector>

#include "attest/tdx/reference.h"

namespace cstl {

constexpr size_t kTdvfPage = 4096;
constexpr size_t kMaxTdvfSections = 64;
constexpr uint64_t kMaxTdvfPages = 65536;   // of all sections: 256 MiB

struct TdvfSection {
  Bytes contents;            // of the file; borrowed; empty: zeros
  uint64_t address = 0;      // guest physical, whole pages
  uint64_t memory_size = 0;  // whole pages; at least contents.size()
  uint32_t type = 0;         // 0 BFV, 1 CFV, 2 TD HOB, 3 temporary memory, …
  bool measured = false;     // MR.EXTEND
  bool added = true;         // not with PAGE_AUG: then the TD accepts it itself
};

// Found through OVMF's table of GUIDs at the end of the image. Errors: firmware_malformed.
Result<std::vector<TdvfSection>> tdvf_sections(Bytes firmware);

// KVM since Linux 6.16 measures a page when it adds it; older hosts (and some clouds) add all pages of a section first.
enum class PageOrder : uint8_t { page_by_page, section_by_section };

// Errors: firmware_malformed, crypto_failed.
Result<Digest48> predict_mrtd(Bytes firmware, PageOrder order);

// RTMR2 with its one expected value and its events. Errors: those of predict_pcrs().
Result<tdx::RtmrReference> predict_rtmr2(Bytes uki);

// RTMR1, likewise. `disk`: its first kGptDisk bytes. Errors: those of predict_pcrs() and gpt_event().
Result<tdx::RtmrReference> predict_rtmr1(Bytes uki, Bytes disk);
// The same for any chain of images that firmware starts, by their SHA-384 Authenticode hashes. `gpt`: of gpt_event().
// Errors: crypto_failed.
Result<tdx::RtmrReference> boot_path_rtmr1(Bytes gpt, const std::vector<tdx::RtmrEvent>& images);

}  // namespace cstl
