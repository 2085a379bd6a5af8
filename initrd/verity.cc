#include "initrd/verity.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <memory>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "crypto/base/fd.h"
#include "initrd/devices.h"
#include "initrd/root.h"

namespace cstl {
namespace {

constexpr const char* kName = "cstl-root";
constexpr const char* kDevice = "/dev/mapper/cstl-root";
constexpr size_t kBlock = 4096;

Status verity_ok(int r, const char* site) {
  if (r >= 0) return success();
  return fail(Code::root_hash, site, Origin::cryptsetup, r);
}

Status open_verity(const std::string& data, const std::string& hashes, const Digest32& roothash) {
  crypt_device* raw = nullptr;
  TRY(verity_ok(crypt_init(&raw, hashes.c_str()), "verity.init"));
  const std::unique_ptr<crypt_device, decltype(&crypt_free)> device(raw, crypt_free);
  crypt_params_verity params{};
  params.data_device = data.c_str();
  TRY(verity_ok(crypt_load(raw, CRYPT_VERITY, &params), "verity.load"));
  crypt_params_verity seen{};
  TRY(verity_ok(crypt_get_verity_info(raw, &seen), "verity.info"));
  if (!seen.hash_name || std::string_view(seen.hash_name) != "sha256" || seen.hash_type != 1 ||
      seen.data_block_size != kBlock || seen.hash_block_size != kBlock || seen.data_size == 0)
    return fail(Code::root_hash, "verity.superblock");
  const char* hash = reinterpret_cast<const char*>(roothash.data());
  return verity_ok(crypt_activate_by_volume_key(raw, kName, hash, roothash.size(), CRYPT_ACTIVATE_READONLY),
                   "verity.activate");
}

Status read_block(int fd, uint64_t offset) {
  void* memory = nullptr;
  if (posix_memalign(&memory, kBlock, kBlock) != 0) return fail(Code::no_memory, "verity.read");
  const std::unique_ptr<void, decltype(&std::free)> block(memory, std::free);
  if (pread(fd, memory, kBlock, static_cast<off_t>(offset)) != static_cast<ssize_t>(kBlock))
    return fail(Code::root_hash, "verity.read", Origin::errno_value, errno);
  return success();
}

}  // namespace

Status mount_verity_root(const Digest32& roothash) {
  TRY_LET(const std::string data, wait_for_block_device(kRootDisk, kDeviceWaitMs));
  TRY_LET(const std::string hashes, wait_for_block_device(kRootHashDisk, kDeviceWaitMs));
  TRY(open_verity(data, hashes, roothash));
  auto fd = open_file(kDevice, O_RDONLY | O_DIRECT);
  if (!fd) return fail(Code::root_hash, "verity.open", Origin::errno_value, fd.error().foreign);
  TRY_LET(const BlockDevice block, block_device(fd->get()));
  TRY(read_block(fd->get(), 0));
  TRY(read_block(fd->get(), block.size - kBlock));
  (void)mkdir(kSysroot, 0755);  // exists in most images; a failure shows in mount
  if (mount(kDevice, kSysroot, "erofs", MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) != 0)
    return fail(Code::mount_failed, "mount.root", Origin::errno_value, errno);
  return success();
}

}  // namespace cstl
