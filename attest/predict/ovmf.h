// What OVMF (EDK2) says about itself at the end of its image, for hypervisors that launch confidential machines: a
// table of GUIDed entries that ends 32 bytes before the image's end, and in it the SEV metadata (OvmfPkg/ResetVector:
// Ia16/ResetVectorVtf0.asm, X64/OvmfSevMetadata.asm; QEMU: hw/i386/pc_sysfw_ovmf.c, target/i386/sev.c).
//
// Parsers are total; they borrow from the image and read nothing but what they name.
#pragma once

#include <vector>

#include "crypto/base/bytes.h"

namespace cstl {

constexpr size_t kMaxFirmware = size_t{16} * 1024 * 1024;
constexpr size_t kPage = 4096;

// As the image has it: the first three fields little endian.
using Guid = std::array<uint8_t, 16>;

// The table of GUIDed entries.
class OvmfTable {
 public:
  // `refusal`: the code of every refusal: no table, one that leaves the image, an entry that leaves the table; an image
  // that is empty, over kMaxFirmware, or no whole pages.
  static Result<OvmfTable> find(Bytes firmware, Code refusal);
  // The data of the entry; empty if there is none.
  Bytes entry(const Guid& guid) const;
  Bytes firmware() const { return firmware_; }

 private:
  Bytes firmware_, entries_;
};

enum class SevSection : uint32_t {
  memory = 1,          // measured as zero pages
  secrets = 2,
  cpuid = 3,
  svsm_area = 4,       // as memory
  kernel_hashes = 16,  // the hashes of kernel, initrd and command line, or zeros
};

struct SevMetadata {
  struct Section {
    uint32_t address = 0, size = 0;  // physical; whole pages
    SevSection kind = SevSection::memory;
  };
  std::vector<Section> sections;     // in the order in which they are measured
  uint32_t ap_reset = 0;             // where processors other than the first start
  uint32_t hashes = 0;               // physical address of the hash table; 0: this build takes none

  // Errors: snp_firmware_malformed (also: no SEV metadata, a kind that is not known, over 32 sections or 256 MiB of
  // them).
  static Result<SevMetadata> parse(Bytes firmware);
};

}  // namespace cstl
