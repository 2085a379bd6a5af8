// A configfs-tsm that isn't the kernel's (Documentation/ABI/testing/configfs-tsm-report), so that what reads it runs as it
// ships: a file system of its own over /dev/fuse with one folder per user, made by mkdir, holding provider, inblob, outblob,
// auxblob and generation, and a firmware that the test gives. As in the kernel, inblob counts once it is closed, every opening
// of outblob is one report, and outblob without inblob is EINVAL. Needs root.
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

class TsmFolder {
 public:
  // Mounted until the end of the object. `firmware` runs in a thread of its own.
  static std::unique_ptr<TsmFolder> mount(std::string provider, TsmFirmware firmware);
  ~TsmFolder();
  const std::string& path() const;   // in place of /sys/kernel/config/tsm/report
  size_t entries() const;            // folders that exist now

 private:
  TsmFolder();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::test
