#include "attest/predict/snp_launch.h"
#include "crypto/base/fd.h"
#include "tools/cstl/measure.h"

namespace cstl::cli {

namespace {
constexpr size_t kMaxBootFile = size_t{512} << 20;

Result<std::vector<uint8_t>> file_of(const std::string& path, size_t max, std::string* problem) {
  *problem = path;
  auto data = read_file(path.c_str(), max);
  if (!data.ok()) return fail(Code::workspace, "measure.file", data.error().origin, data.error().foreign);
  return data;
}
}  // namespace

Status measure_snp(const MeasureOptions& options, ReferenceSet* set, std::string* problem) {
  TRY_LET(std::vector<uint8_t> firmware, file_of(options.firmware, kMaxFirmware, problem));
  SnpLaunch launch;
  launch.firmware = firmware;
  launch.hypervisor = options.ec2 ? Hypervisor::ec2 : Hypervisor::qemu;
  *problem = "--cpu " + options.cpu;
  if (!options.ec2) {
    TRY_LET(launch.vcpu_signature, vcpu_signature(options.cpu));
  }
  KernelHashes hashes;
  if (!options.kernel.empty()) {
    TRY_LET(std::vector<uint8_t> kernel, file_of(options.kernel, kMaxBootFile, problem));
    std::vector<uint8_t> initrd;
    if (!options.initrd.empty()) {
      TRY_LET(initrd, file_of(options.initrd, kMaxBootFile, problem));
    }
    TRY_LET(hashes, KernelHashes::of(kernel, initrd, options.cmdline));
    launch.kernel = &hashes;
  }
  *problem = options.firmware;
  if (!set->snp) set->snp.emplace();
  set->snp->measurements.clear();
  for (unsigned count : options.vcpus) {
    launch.vcpus = count;
    TRY_LET(Digest48 measurement, predict_snp_launch(launch));
    set->snp->measurements.push_back(measurement);
  }
  return success();
}

}  // namespace cstl::cli
