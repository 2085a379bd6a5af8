// LUKS2 through libcryptsetup: the only files of cstl that include it are initrd/luks.cc and initrd/verity.cc.
//
// A fresh disk has no keyslot at all: its random volume key exists only in libcryptsetup's locked memory of PID 1 (read
// from the kernel's generator, after it was seeded), so what a power cut leaves of a disk that was never sealed can be
// read by nobody. seal() then writes the first and only keyslot. Order of seal(), and what a cut leaves on the disk
// after each:
//
//   before       token "fresh", no keyslot           the next boot formats it anew
//   1. keyslot   token "fresh", one keyslot          the next boot formats it anew
//   2. token     primary "sealed", secondary older   the higher sequence number counts: the derived key opens it
//                both "sealed"                       the derived key opens it
//
// libcryptsetup writes each copy of the header as header without checksum, JSON, header with checksum, flush; the
// primary first. So at every moment at least one copy is intact, and the disk is always either fresh or one that opens.
#pragma once

#include <memory>
#include <string>

#include "initrd/luks_header.h"

namespace cstl {

// Sends libcryptsetup's error messages to the log, and switches its lock files off (PID 1 is alone here). Once, at
// start.
void start_luks();

// Prepares a disk for format(): clears secondary copy, JSON area and binary header of the primary, in that order and
// each flushed, so that a cut never leaves what read_luks_header() could not place. Errors: disk_failed, no_space.
Status erase_luks_headers(int disk);

// An open LUKS2 context; wipes its keys when it goes. Nothing of it is copyable.
class Luks {
 public:
  // Formats `disk`: aes-xts-plain64, hmac(sha256), 4096-byte sectors, no wipe, token "fresh". All content is lost.
  // Keeps the volume key for activate() and seal(). Errors: disk_failed with libcryptsetup's number.
  static Result<Luks> format(const std::string& disk, const Uuid& uuid);

  // For a sealed disk: `header` is the copy in memory that read_luks_header() judged. What libcryptsetup makes of it is
  // judged once more. Errors: disk_failed, disk_header.
  static Result<Luks> load(const std::string& header, const std::string& disk);

  // Makes /dev/mapper/`name`. After format(). Errors: disk_failed.
  Status activate(const char* name);
  // After load(). Errors: disk_key (the passphrase opens no keyslot), disk_failed.
  Status activate(const char* name, const Secret<64>& passphrase);

  // After format(), once: the keyslot for `passphrase`, then the token "sealed" with `owner`, then a flush; the volume
  // key is forgotten. Errors: disk_failed, no_memory (too little for the KDF); the disk is then still fresh, or sealed
  // for this very passphrase.
  Status seal(const Secret<64>& passphrase, const P256Point& owner, int disk);

  static Status deactivate(const char* name);

  ~Luks();
  Luks(Luks&& other) noexcept : device_(other.device_) { other.device_ = nullptr; }
  Luks& operator=(Luks&& other) noexcept {
    std::swap(device_, other.device_);
    return *this;
  }

 private:
  explicit Luks(void* device) : device_(device) {}
  void* device_;  // struct crypt_device
};

}  // namespace cstl
