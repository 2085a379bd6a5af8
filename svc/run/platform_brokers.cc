#include "svc/run/platform_brokers.h"

#include <unistd.h>

#include "svc/run/lockdown.h"

namespace cstl {

extern const SeccompPolicy kTsmSeccomp, kMetadataSeccomp;
extern const LandlockPolicy kTsmLandlock, kMetadataLandlock;

namespace {
Status outcome(const Result<LockdownReport>& report) { return report.ok() ? success() : Status(report.error()); }
}  // namespace

Brokers platform_brokers(const PlatformPaths& paths) {
  Brokers out;
  out.uid = kAttesterUid;
  out.reports = [configfs = paths.configfs] {
    // A machine with /dev/sev-guest alone has no such folder, and the process then reaches no path at all.
    const bool there = access(configfs.c_str(), F_OK) == 0;
    return outcome(there ? lock_down(kAttesterUid, kTsmSeccomp, kTsmLandlock, {{"$tsm", configfs.c_str()}})
                         : lock_down(kAttesterUid, kTsmSeccomp, LandlockPolicy{nullptr, 0}, {}));
  };
  out.metadata = [] { return outcome(lock_down(kAttesterUid, kMetadataSeccomp, kMetadataLandlock, {}, Tcp::connect)); };
  return out;
}

}  // namespace cstl
