// /init of a test image: a machine whose processor makes no TEE reports gets a configfs-tsm that does
// (tests/harness/tsm_folder.h), over the kernel's own place for it, which asks the host for each report. Then
// cstl-init runs as PID 1, as it ships. The image's measurement differs from every other's, and only the test's
// reference values have it.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "attest/tsm/report_device.h"
#include "boot/metadata/metadata.h"
#include "tests/harness/report_relay.h"

namespace {
constexpr const char* kInit = "/usr/bin/cstl-init";
constexpr const char* kGateway = "10.0.2.2";
constexpr uint16_t kPort = 7780;
constexpr int kWaits = 3000;  // of 20 ms each

bool wait_for(const char* path) {
  struct stat facts {};
  for (int i = 0; i < kWaits; ++i, usleep(20'000)) {
    if (stat(path, &facts) == 0) return true;
  }
  std::fprintf(stderr, "tee_guest: no %s\n", path);
  return false;
}

// Until the machine stops.
void stand_in() {
  if (!wait_for(cstl::kFwCfgMetadata) || !wait_for("/dev/fuse") || !wait_for(cstl::tsm::kConfigfsReports)) return;
  auto metadata = cstl::FwCfgMetadata().read(nullptr);
  if (!metadata.ok()) return;
  const char* provider = cstl::has_tdx(metadata->variant) ? cstl::tsm::kTdxProvider : cstl::tsm::kSevProvider;
  auto folder = cstl::test::TsmFolder::mount(provider, [](const cstl::Digest64& report_data) {
    return cstl::test::ask_relay(kGateway, kPort, report_data);
  });
  if (mount(folder->path().c_str(), cstl::tsm::kConfigfsReports, nullptr, MS_BIND, nullptr) != 0) {
    std::perror("tee_guest: mount");
    return;
  }
  std::fprintf(stderr, "tee_guest: %s stands in\n", provider);
  for (;;) pause();
}
}  // namespace

int main(int, char** argv) {
  if (fork() == 0) {
    stand_in();
    _exit(1);
  }
  execv(kInit, argv);
  return 1;
}
