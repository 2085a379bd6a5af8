// The kernel's side of /dev/sev-guest, for machines without SEV-SNP: answers the ioctl() calls of one thread through
// seccomp's user notification (seccomp_unotify(2)), so that what is tested makes its real system calls and is not told.
// It checks and answers as drivers/virt/coco/sev-guest does (Documentation/virt/coco/sev-guest.rst); firmware and host
// are the test's.
#pragma once

#include <functional>
#include <vector>

#include "crypto/hash.h"

namespace cstl::test {

struct SevAnswer {
  int error = 0;                       // errno, with no word from host or firmware
  uint32_t firmware = 0;               // a status code of AMD's firmware
  bool busy = false;                   // the host turns the request away at once (kernels before 6.3 pass that on)
  bool busy_for_long = false;          // … and the kernel has waited as long as it does
  uint32_t status = 0;                 // of MSG_REPORT_RSP
  uint32_t report_size = 1184;         // as MSG_REPORT_RSP says
  std::vector<uint8_t> report;
  std::vector<uint8_t> certificates;   // the host's table
};
using SevFirmware = std::function<SevAnswer(const Digest64& report_data, uint32_t vmpl)>;

struct SevCalls {
  unsigned reports = 0, extended = 0;  // SNP_GET_REPORT, SNP_GET_EXT_REPORT
};

// Runs `work` in a thread whose ioctl calls of the device's type go to `firmware`, in the caller's thread.
SevCalls with_sev_guest(const SevFirmware& firmware, const std::function<void()>& work);

}  // namespace cstl::test
