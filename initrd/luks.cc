#include "initrd/luks.h"

#include <cerrno>
#include <cstring>
#include <libcryptsetup.h>
#include <unistd.h>

#include "crypto/base/log.h"

namespace cstl {
namespace {

crypt_device* as_device(void* device) { return static_cast<crypt_device*>(device); }

Status crypt_ok(int r, const char* site) {
  if (r >= 0) return success();
  return fail(Code::disk_failed, site, Origin::cryptsetup, r);
}

void forward_message(int level, const char* text, void*) {
  if (level != CRYPT_LOG_ERROR) return;
  std::string_view line(text);
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  log_warning("cryptsetup.message", {{"text", line.substr(0, 300)}});
}

Status put_zeros(int disk, off_t offset, size_t size, const char* site) {
  const std::array<uint8_t, kLuksCopy> zeros{};
  if (pwrite(disk, zeros.data(), size, offset) != static_cast<ssize_t>(size) || fsync(disk) != 0) {
    const int error = errno;
    const Code code = error == EROFS || error == EPERM ? Code::no_space : Code::disk_failed;
    return fail(code, site, Origin::errno_value, error);
  }
  return success();
}

}  // namespace

void start_luks() {
  crypt_set_log_callback(nullptr, forward_message, nullptr);
  (void)crypt_metadata_locking(nullptr, 0);  // fails only while a lock is held
}

Status erase_luks_headers(int disk) {
  TRY(put_zeros(disk, kLuksCopy, kLuksCopy, "luks.erase_secondary"));
  TRY(put_zeros(disk, kLuksBinary, kLuksCopy - kLuksBinary, "luks.erase_json"));
  return put_zeros(disk, 0, kLuksBinary, "luks.erase_primary");
}

Luks::~Luks() {
  if (device_) crypt_free(as_device(device_));
}

Result<Luks> Luks::format(const std::string& disk, const Uuid& uuid) {
  crypt_device* device = nullptr;
  TRY(crypt_ok(crypt_init(&device, disk.c_str()), "luks.init"));
  Luks out(device);
  crypt_pbkdf_type pbkdf{};
  pbkdf.type = CRYPT_KDF_ARGON2ID;
  pbkdf.hash = "sha256";
  pbkdf.iterations = kArgonTime;
  pbkdf.max_memory_kb = kArgonMemoryKib;
  pbkdf.parallel_threads = kArgonThreads;
  pbkdf.flags = CRYPT_PBKDF_NO_BENCHMARK;
  crypt_params_luks2 params{};
  params.pbkdf = &pbkdf;
  params.integrity = kLuksIntegrity;
  params.sector_size = kLuksSector;
  params.label = kLuksLabel;
  params.subsystem = kLuksSubsystem;
  TRY(crypt_ok(crypt_set_metadata_size(device, kLuksCopy, kLuksKeyslots), "luks.metadata_size"));
  TRY(crypt_ok(crypt_set_data_offset(device, kLuksDataOffset / 512), "luks.data_offset"));
  const std::string id = uuid_text(uuid);
  TRY(crypt_ok(crypt_format(device, CRYPT_LUKS2, kLuksCipher, kLuksMode, id.c_str(), nullptr, kLuksVolumeKey, &params),
               "luks.format"));
  TRY(crypt_ok(crypt_token_json_set(device, 0, luks_token(nullptr).c_str()), "luks.token"));
  return out;
}

Result<Luks> Luks::load(const std::string& header, const std::string& disk) {
  crypt_device* device = nullptr;
  TRY(crypt_ok(crypt_init_data_device(&device, header.c_str(), disk.c_str()), "luks.init"));
  Luks out(device);
  TRY(crypt_ok(crypt_load(device, CRYPT_LUKS2, nullptr), "luks.load"));
  const char* json = nullptr;
  TRY(crypt_ok(crypt_dump_json(device, &json, 0), "luks.dump"));
  auto owner = check_sealed_json(json);
  if (!owner) return owner.error();
  return out;
}

Status Luks::activate(const char* name) {
  return crypt_ok(crypt_activate_by_volume_key(as_device(device_), name, nullptr, 0, 0), "luks.activate");
}

Status Luks::activate(const char* name, const Secret<64>& passphrase) {
  const Bytes text = passphrase.declassify();
  const int r = crypt_activate_by_passphrase(as_device(device_), name, CRYPT_ANY_SLOT,
                                             reinterpret_cast<const char*>(text.data()), text.size(), 0);
  if (r == -EPERM || r == -ENOENT) return fail(Code::disk_key, "luks.passphrase", Origin::cryptsetup, r);
  return crypt_ok(r, "luks.activate");
}

Status Luks::seal(const Secret<64>& passphrase, const P256Point& owner, int disk) {
  const Bytes text = passphrase.declassify();
  TRY(crypt_ok(crypt_keyslot_add_by_volume_key(as_device(device_), 0, nullptr, 0,
                                               reinterpret_cast<const char*>(text.data()), text.size()),
               "luks.keyslot"));
  // libcryptsetup lowers the cost on machines with little memory, and such a header would be refused.
  crypt_pbkdf_type kdf{};
  TRY(crypt_ok(crypt_keyslot_get_pbkdf(as_device(device_), 0, &kdf), "luks.kdf"));
  if (kdf.iterations < kArgonTime || kdf.max_memory_kb < kArgonMemoryKib) return fail(Code::no_memory, "luks.kdf_cost");
  if (fsync(disk) != 0) return fail(Code::disk_failed, "luks.flush_keyslot", Origin::errno_value, errno);
  TRY(crypt_ok(crypt_token_json_set(as_device(device_), 0, luks_token(&owner).c_str()), "luks.seal"));
  if (fsync(disk) != 0) return fail(Code::disk_failed, "luks.flush_seal", Origin::errno_value, errno);
  crypt_free(as_device(device_));
  device_ = nullptr;
  return success();
}

Status Luks::deactivate(const char* name) { return crypt_ok(crypt_deactivate(nullptr, name), "luks.deactivate"); }

}  // namespace cstl
