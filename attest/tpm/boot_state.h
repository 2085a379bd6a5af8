// What a machine says it booted, read from an event log: firmware, Secure Boot and its certificates, who signed each
// image, boot loader, images, kernel command line, parts of a unified kernel image, partitions. For a verdict to show,
// and for a reference set that asks for Secure Boot (attest/reference/values.h).
//
// Only of worth for a log that replays to quoted registers. What the registers then prove is each digest and its order
// within its register: not an event's type, not its data, not the order between registers, and a running system can
// extend every register once more. So:
// - "measured" below: the data hashes to the event's digest, and the event stands before the register's first separator
//   (told by its digest, not by its type) where firmware alone can write. Secure Boot, its keys, and firmware facts are
//   read from such events only; anything there that is not understood makes Secure Boot `unknown`.
// - "claimed": what names an image or a file; its digest is proven, its name is the writer's word.
// Nothing here says that a digest is a good one: reference values do.
//
// Total: never fails. Bounded: every list and text has a limit; what is over it is dropped and noted. All texts are
// printable ASCII.
#pragma once

#include "attest/tpm/eventlog.h"
#include "attest/tpm/uefi.h"

namespace cstl::tpm {

constexpr size_t kMaxBootCertificates = 32;  // per list
constexpr size_t kMaxBootImages = 64;
constexpr size_t kMaxBootPartitions = 32;
constexpr size_t kMaxBootText = 200;         // bytes of a name, path or subject
constexpr size_t kMaxCommandLine = 2048;
constexpr size_t kMaxBootNotes = 16;

enum class SecureBoot : uint8_t { unknown, off, on };
const char* secure_boot_name(SecureBoot state);  // "unknown", "off", "on"

struct BootCertificate {
  std::string subject;      // "CN=…, O=…"; "(unreadable)" when the DER is not understood
  Digest32 fingerprint{};   // SHA-256 of the DER
};

// PK, KEK, db or dbx, measured before the separator.
struct KeyDatabase {
  bool present = false;
  std::vector<BootCertificate> certificates;
  size_t hashes = 0;        // images by SHA-256
  size_t others = 0;        // entries of other kinds
};

// EV_EFI_VARIABLE_AUTHORITY: what let images start. Measured by data; after the separator anyone may add one.
struct Authority {
  std::string source;       // "db", "Shim", "MokList", …
  BootCertificate certificate;
  bool before_separator = false;  // option ROMs and drivers
};

struct BootImage {
  uint32_t type = 0;        // EV_EFI_BOOT_SERVICES_APPLICATION, …_DRIVER, EV_EFI_RUNTIME_SERVICES_DRIVER
  std::string digest;       // Authenticode hash, hex
  std::string path;         // claimed device path; may be empty
  std::string file;         // the file's part of it
};

struct BootPartition {
  Guid id{};
  std::string type, name;
};

struct BootState {
  std::string firmware;                 // S-CRTM version, measured
  std::string technology;               // "AMD SEV-SNP", … as Google's firmware measures it; may be empty
  SecureBoot secure_boot = SecureBoot::unknown;
  std::string secure_boot_why;          // why unknown, or what is odd
  bool debugger = false;                // "UEFI Debug Mode": never `on` with it
  bool dma_protection_disabled = false;
  KeyDatabase pk, kek, db, dbx;
  std::vector<Authority> authorities;
  std::string sbat_level;               // revocations of shim and GRUB; measured
  std::vector<BootImage> images;        // in the log's order
  std::string boot_loader;              // claimed: "shim and GRUB", "systemd-boot", "Windows Boot Manager", …
  std::string boot_option;              // claimed: description of the first entry of BootOrder
  bool partitions_measured = false;
  Guid disk{};
  std::vector<BootPartition> partitions;
  std::string command_line;             // of the kernel, as far as the log tells it
  bool command_line_measured = false;   // its text hashes to its digest
  std::vector<std::string> uki_sections;  // claimed names, as systemd-stub measures them
  bool exit_boot_services = false;      // the firmware's last event is there
  std::vector<std::string> notes;       // quirks and what was left out

  // `log` must have been replayed against quoted registers by the caller, or the result shown as unproven.
  static BootState of(const EventLog& log);
  // Several lines, each starting with `indent`.
  std::string to_text(const std::string& indent) const;
};

}  // namespace cstl::tpm
