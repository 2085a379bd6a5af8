// Stands where the bootstrapper stands, in the images of tests/e2e/disk_test.sh only: on a fresh disk it writes a
// witness and the node state, has the disk sealed, and powers off; on a sealed one it says what it found and powers
// off. On a machine named "hold…" it stops before the seal; on one named "refuse…" it asks for a seal without a node
// state.
#include <cstdio>
#include <cstring>
#include <string>
#include <unistd.h>

#include "attest/tpm/device.h"
#include "boot/bootstrapper/monitor.h"
#include "crypto/base/log.h"
#include "tests/e2e/disk_secret.h"

namespace cstl::test {
namespace {

constexpr const char* kWitness = "/run/cstl/state/witness";

std::string machine_name() {
  char name[64] = {};
  (void)gethostname(name, sizeof name - 1);
  return name;
}

Status run(std::string_view disk) {
  Monitor monitor{Fd(3)};
  if (access(kNodeStateFile, F_OK) == 0) {
    TRY_LET(const auto witness, read_file(kWitness, 100));
    TRY_LET(const auto device, tpm::Device::open("/dev/tpmrm0"));
    TRY_LET(const auto pcrs, device->read_pcrs());
    log_info("guest.sealed", {{"witness", Bytes(witness).text()}, {"pcr15", to_hex(pcrs[15])}});
    return monitor.power(PowerAction::off);
  }
  log_info("guest.fresh");
  TRY(write_file_durably(kWitness, "still-here"));
  if (machine_name().rfind("hold", 0) == 0) return success();
  TRY_LET(const NodeState node, disk_test_node());
  if (machine_name().rfind("refuse", 0) != 0) TRY(node.store(kNodeStateFile));
  TRY_LET(const Key32 key, derive_key(disk_test_master(), KeyClass::disk, disk));
  const Status sealed = monitor.rekey(key, node.owner_key);
  log_info("guest.seal", {{"code", code_name(sealed.code())}});
  return monitor.power(PowerAction::off);
}

}  // namespace
}  // namespace cstl::test

int main(int argc, char** argv) {
  cstl::log_as("disk-guest");
  std::string_view disk;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--disk") == 0) disk = argv[i + 1];
  }
  const cstl::Status status = cstl::test::run(disk);
  if (!status.ok()) cstl::log_error("guest.failed", status.error());
  while (true) pause();
}
