#include "initrd/statedisk.h"

#include <blkid/blkid.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "initrd/devices.h"
#include "initrd/filesystem.h"

namespace cstl {
namespace {

Error disk_error(const char* site) { return fail(Code::disk_failed, site, Origin::errno_value, errno); }

// Any signature of a file system, RAID, LUKS, swap or partition table. Errors: disk_header, disk_failed.
Status refuse_foreign(int disk, std::string* found) {
  const std::unique_ptr<blkid_struct_probe, decltype(&blkid_free_probe)> probe(blkid_new_probe(), blkid_free_probe);
  if (!probe) return fail(Code::no_memory, "disk.probe");
  if (blkid_probe_set_device(probe.get(), disk, 0, 0) != 0 || blkid_probe_enable_superblocks(probe.get(), 1) != 0 ||
      blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE) != 0 ||
      blkid_probe_enable_partitions(probe.get(), 1) != 0)
    return disk_error("disk.probe");
  const int r = blkid_do_safeprobe(probe.get());
  if (r == 1) return success();
  const char* type = nullptr;
  if (r == 0 && (blkid_probe_lookup_value(probe.get(), "TYPE", &type, nullptr) == 0 ||
                 blkid_probe_lookup_value(probe.get(), "PTTYPE", &type, nullptr) == 0))
    *found = type;
  return fail(r == -1 ? Code::disk_failed : Code::disk_header, r == -1 ? "disk.probe" : "disk.foreign");
}

Status read_at(int disk, uint64_t offset, MutBytes out, const char* site) {
  for (size_t done = 0; done < out.size();) {
    const ssize_t n = pread(disk, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return disk_error(site);
    done += static_cast<size_t>(n);
  }
  return success();
}

// The judged headers and what follows up to the data, into memory that no one else can reach.
Result<Fd> copy_header(int disk, Bytes headers) {
  Fd copy(memfd_create("cstl-luks-header", MFD_CLOEXEC));
  if (!copy.valid()) return disk_error("luks.copy");
  TRY(write_all(copy.get(), headers));
  std::vector<uint8_t> block(1024 * 1024);
  for (uint64_t at = headers.size(); at < kLuksDataOffset;) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(block.size(), kLuksDataOffset - at));
    TRY(read_at(disk, at, MutBytes(block.data(), n), "luks.copy"));
    TRY(write_all(copy.get(), Bytes(block.data(), n)));
    at += n;
  }
  return copy;
}

Result<Uuid> random_uuid() {  // RFC 9562, 5.4
  Uuid out{};
  TRY(random_bytes(out));
  out[6] = static_cast<uint8_t>((out[6] & 0x0f) | 0x40);
  out[8] = static_cast<uint8_t>((out[8] & 0x3f) | 0x80);
  return out;
}

}  // namespace

Result<StateDisk> StateDisk::open(const std::string& device, std::string* found) {
  found->clear();
  StateDisk out;
  out.device_ = device;
  auto fd = open_file(device.c_str(), O_RDWR);
  if (!fd) {
    const bool locked = fd.error().foreign == EROFS || fd.error().foreign == EACCES || fd.error().foreign == EPERM;
    return fail(locked ? Code::no_space : Code::disk_failed, "disk.open", Origin::errno_value, fd.error().foreign);
  }
  out.disk_ = std::move(*fd);
  TRY_LET(const BlockDevice block, block_device(out.disk_.get()));
  if (block.read_only) return fail(Code::no_space, "disk.read_only");
  if (block.size < kMinStateDisk) return fail(Code::no_space, "disk.too_small");
  if (block.size > kMaxStateDisk) return fail(Code::disk_failed, "disk.too_large");
  std::vector<uint8_t> headers(kLuksHeaders);
  TRY(read_at(out.disk_.get(), 0, headers, "disk.read"));
  auto header = read_luks_header(headers);
  if (!header) {
    (void)refuse_foreign(out.disk_.get(), found);  // only to name what is there
    return header.error();
  }
  out.header_ = *header;
  if (out.header_.state == DiskState::blank) TRY(refuse_foreign(out.disk_.get(), found));
  if (out.header_.state == DiskState::sealed) {
    TRY_LET(out.header_copy_, copy_header(out.disk_.get(), headers));
  }
  return out;
}

Status StateDisk::format() {
  if (header_.state == DiskState::sealed || fresh_) return fail(Code::mismatch, "disk.format_state");
  TRY_LET(header_.uuid, random_uuid());
  TRY(erase_luks_headers(disk_.get()));
  auto luks = Luks::format(device_, header_.uuid);
  if (!luks) return luks.error();
  fresh_ = std::make_unique<Luks>(std::move(*luks));
  TRY(fresh_->activate(kMappedName));
  active_ = true;
  header_.state = DiskState::fresh;
  return success();
}

Status StateDisk::populate() {
  if (header_.state != DiskState::fresh || !fresh_) return fail(Code::mismatch, "disk.populate_state");
  TRY(make_filesystem(kMappedDevice));
  return mount_filesystem(kMappedDevice, kStateFolder);
}

Status StateDisk::open_and_mount(const Key32& disk_key) {
  auto luks = Luks::load("/proc/self/fd/" + std::to_string(header_copy_.get()), device_);
  if (!luks) return luks.error();
  TRY(luks->activate(kMappedName, disk_passphrase(disk_key)));
  active_ = true;
  return mount_filesystem(kMappedDevice, kStateFolder);
}

Result<NodeState> StateDisk::unlock(const Key32& disk_key, const Key32& measurement_key) {
  if (header_.state != DiskState::sealed || active_) return fail(Code::mismatch, "disk.unlock_state");
  const auto attempt = [&]() -> Result<NodeState> {
    TRY(open_and_mount(disk_key));
    TRY_LET(NodeState node, NodeState::load(kNodeStateFile, nullptr));
    if (!equal(node.owner_key, header_.owner_key)) return fail(Code::disk_header, "luks.token.owner_differs");
    TRY_LET(const Digest32 cluster, derive_cluster_id(measurement_key, node.measurement_salt));
    if (!equal(cluster, node.cluster_id)) return fail(Code::cluster_mismatch, "disk.cluster_id");
    return node;
  };
  auto node = attempt();
  if (!node) close();
  return node;
}

Status StateDisk::seal(const Key32& disk_key, const P256Point& owner) {
  if (header_.state != DiskState::fresh || !fresh_) return fail(Code::mismatch, "disk.seal_state");
  TRY_LET(const NodeState node, NodeState::load(kNodeStateFile, nullptr));
  if (!equal(node.owner_key, owner)) return fail(Code::mismatch, "disk.seal_owner");
  auto folder = open_file(kStateFolder, O_RDONLY | O_DIRECTORY);
  if (!folder) return folder.error();
  if (syncfs(folder->get()) != 0) return disk_error("disk.flush");
  TRY(fresh_->seal(disk_passphrase(disk_key), owner, disk_.get()));
  fresh_.reset();
  header_.owner_key = owner;
  header_.state = DiskState::sealed;
  return success();
}

void StateDisk::close() {
  if (!active_) return;
  (void)unmount_filesystem(kStateFolder);  // nothing to do about it but go on
  (void)Luks::deactivate(kMappedName);
  active_ = false;
}

}  // namespace cstl
