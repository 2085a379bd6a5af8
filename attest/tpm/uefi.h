// The UEFI structures inside the data of firmware's events (UEFI Specification 2.10; TCG PC Client Platform Firmware
// Profile 1.06, 10.2 and 10.4): variables, signature lists, boot options, image loads, partition tables, device paths.
// Total, bounded, borrowing. What they say is the log writer's word until the event's digest covers it.
#pragma once

#include <string>

#include "crypto/base/bytes.h"

namespace cstl::tpm {

using Guid = std::array<uint8_t, 16>;  // EFI_GUID as it lies in memory: the first three fields little endian

constexpr size_t kMaxVariableName = 128;     // UTF-16 units
constexpr size_t kMaxDevicePathNodes = 64;
constexpr size_t kMaxPartitions = 256;       // entries that are read; GPTs have 128
constexpr size_t kMaxSignatures = 4096;      // of all lists of one variable

extern const Guid kGlobalVariable;           // EFI_GLOBAL_VARIABLE: SecureBoot, PK, KEK, Boot####
extern const Guid kImageSecurityDatabase;    // EFI_IMAGE_SECURITY_DATABASE_GUID: db, dbx, dbt, dbr
extern const Guid kShimLock;                 // SHIM_LOCK_GUID: MokList, SbatLevel, Shim, …
extern const Guid kCertX509;                 // EFI_CERT_X509_GUID
extern const Guid kCertSha256;               // EFI_CERT_SHA256_GUID

// "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
std::string guid_text(const Guid& guid);

// UTF-16LE up to its zero, or all of it, as printable ASCII; everything else becomes a dot. At most `max` bytes.
std::string utf16_text(Bytes text, size_t max);
// The same for bytes: ASCII, or UTF-16 when every second byte of the first characters is zero.
std::string plain_text(Bytes text, size_t max);

// UEFI_VARIABLE_DATA (10.2.6). Old shims log one byte more than they measured: `trailing` is what follows.
// Errors: truncated, too_long (name).
struct Variable {
  Guid vendor{};
  Bytes name;      // UTF-16LE, without a zero
  Bytes data;
  Bytes trailing;
  static Result<Variable> decode(Bytes input);
  bool is(const Guid& of, std::string_view ascii) const;
};

// EFI_SIGNATURE_LIST, one after the other (UEFI 32.4.1), one entry at a time.
struct SignatureEntry {
  Guid type{};     // kCertX509, kCertSha256, …
  Guid owner{};
  Bytes data;      // a certificate in DER, a hash, …
};
class SignatureLists {
 public:
  explicit SignatureLists(Bytes variable) : outer_(variable), inner_(Bytes()) {}
  // false: no more. Errors: truncated, bad_value (sizes that contradict each other), too_long.
  Result<bool> next(SignatureEntry& entry);

 private:
  Reader outer_, inner_;
  Guid type_{};
  uint32_t entry_size_ = 0;
  size_t count_ = 0;
};

// EFI_LOAD_OPTION (UEFI 3.1.3), the contents of Boot####. Errors: truncated, bad_value.
struct LoadOption {
  uint32_t attributes = 0;  // bit 0: active
  Bytes description;        // UTF-16LE, without its zero
  Bytes path;               // device path
  Bytes optional;
  static Result<LoadOption> decode(Bytes input);
};

// UEFI_IMAGE_LOAD_EVENT (10.2.3). GRUB and some shims log none of it, or addresses only. Errors: truncated.
struct ImageLoad {
  uint64_t address = 0, size = 0;
  Bytes path;               // device path
  static Result<ImageLoad> decode(Bytes input);
};

// UEFI_GPT_DATA (10.2.5): the header of the table and the entries that are in use. Errors: truncated, bad_value,
// too_long.
struct Partition {
  Guid type{}, id{};
  uint64_t first = 0, last = 0;  // blocks, both included
  Bytes name;                    // UTF-16LE, zero-padded
};
struct PartitionTable {
  Guid disk{};
  uint64_t count = 0;            // at most kMaxPartitions
  uint32_t entry_size = 0;
  Bytes entries;
  static Result<PartitionTable> decode(Bytes input);
  Partition at(size_t index) const;  // index < count
};
// "EFI system", "root (x86-64)", "swap", …; or the GUID.
std::string partition_type_text(const Guid& type);

// TCG_PCClientTaggedEvent (10.4.2.1). Errors: truncated.
struct TaggedEvent {
  uint32_t id = 0;
  Bytes data;
  static Result<TaggedEvent> decode(Bytes input);
};

// As firmware shells write it (UEFI 10.6.1):
// "PciRoot(0x0)/Pci(0x1f,0x2)/Sata(0,65535,0)/HD(1,GPT,…)/\EFI\BOOT\BOOTX64.EFI". Unknown nodes as
// "Path(type,subtype)"; a malformed end as "…". Printable, at most `max` bytes.
std::string device_path_text(Bytes path, size_t max);
// Only the file's part, "\EFI\BOOT\BOOTX64.EFI"; empty when the path names none.
std::string device_path_file(Bytes path, size_t max);

}  // namespace cstl::tpm
