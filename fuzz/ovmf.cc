#include <cstdlib>

#include "attest/predict/snp_launch.h"

// The table at the end of a firmware image, its SEV metadata, and the launch digest that follows from them. The input
// is the image's end: the rest of its last page is zero.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  if (size > kPage) return 0;
  std::vector<uint8_t> firmware(kPage - size);
  firmware.insert(firmware.end(), data, data + size);
  auto metadata = SevMetadata::parse(firmware);
  if (!metadata) return 0;
  uint64_t total = 0;
  for (const SevMetadata::Section& section : metadata->sections) total += section.size;
  if (total == 0 || total > 256u << 20) abort();
  if (total > 1 << 20) return 0;
  KernelHashes kernel;
  SnpLaunch launch;
  launch.firmware = firmware;
  launch.vcpus = 2;
  launch.kernel = metadata->hashes != 0 ? &kernel : nullptr;
  auto once = predict_snp_launch(launch), again = predict_snp_launch(launch);
  if (once.ok() != again.ok() || (once.ok() && *once != *again)) abort();
  return 0;
}
