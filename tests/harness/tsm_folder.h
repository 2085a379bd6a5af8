// A configfs-tsm that isn't the kernel's, so that what reads it runs as it ships: a file system over /dev/fuse that
// behaves as drivers/virt/coco/tsm.c on fs/configfs do (Documentation/ABI/testing/configfs-tsm-report), with a firmware
// that the test gives. What it keeps to:
//   - mkdir makes an entry with its attributes (ENXIO without provider); rmdir ends it, for open files too (ENOENT);
//   - an attribute opens only in its own direction (EACCES), and is made at the first read of an opening;
//   - inblob takes 64 bytes (EFBIG) and counts when it is closed; what close finds wrong is told to nobody;
//   - every write of inblob or privlevel that counts advances generation;
//   - outblob and auxblob come of one report per generation: EINVAL before the first inblob, EFBIG beyond their limit.
// Needs root.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/hash.h"

namespace cstl::test {

struct TsmAnswer {
  int error = 0;                     // errno, instead of a report
  std::vector<uint8_t> outblob, auxblob;
};
using TsmFirmware = std::function<TsmAnswer(const Digest64& report_data)>;

// How a kernel or its machine may differ or go wrong.
struct TsmKernel {
  bool registered = true;            // a provider is there
  bool has_auxblob = true;
  bool has_privlevel = true;
  unsigned privlevel_floor = 0;
  size_t max_outblob = 32 * 1024;    // TSM_REPORT_OUTBLOB_MAX
  unsigned lost_writes = 0;          // closes of inblob that are ended by EBUSY, unseen
  unsigned other_writers = 0;        // reports that another process's inblob follows before anything else is read
  unsigned would_block = 0;          // reads of outblob that end with EWOULDBLOCK
};

class TsmFolder {
 public:
  // Mounted until the end of the object. `firmware` runs in a thread of its own.
  static std::unique_ptr<TsmFolder> mount(std::string provider, TsmFirmware firmware);
  ~TsmFolder();
  const std::string& path() const;   // in place of /sys/kernel/config/tsm/report
  size_t entries() const;            // folders that exist now
  unsigned privlevel() const;        // of the entry made last
  void behave(const TsmKernel& kernel);

 private:
  TsmFolder();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::test
