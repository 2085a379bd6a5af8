// What a unified kernel image will measure, computed from its file alone: the SHA-256 PCRs 4, 9, 11 and 12 after a boot by
// OVMF (EDK2) from the removable-media path, through systemd-stub 257 into a Linux EFI stub (x86-64), with every event.
//   4   TCG PC Client PFP 3.3.4.5: the boot attempt, the separator, then the Authenticode hashes of the image and of the
//       kernel in its .linux
//   9   the Linux EFI stub: command line (UTF-16, terminated), then the initrd that systemd-stub hands over
//   11  systemd-stub: name and contents of each of its sections
//   12  nothing, so zero: command line overrides, credentials and addons would show there
// Total, bounded by the file. What was not compared with a real boot is refused (unsupported): other stubs, profiles,
// device trees, hardware ids, a command line outside printable ASCII.
#pragma once

#include <vector>

#include "attest/reference/values.h"

namespace cstl {

constexpr size_t kMaxUki = size_t{512} * 1024 * 1024;

// PE/COFF specification 11: headers and section table of a PE32+ image for x86-64, nothing of its meaning.
struct PeSection {
  std::string_view name;  // at most 8 bytes, without padding; borrowed
  Bytes contents;         // VirtualSize bytes; empty when the file holds fewer (uninitialised data)
  size_t raw_offset = 0, raw_size = 0;
};
struct PeImage {
  Bytes file;
  size_t checksum = 0;               // offset of OptionalHeader.CheckSum
  size_t certificate_entry = 0;      // offset of the certificate table's directory entry; 0: there is none
  size_t certificate_size = 0;       // of the table itself
  size_t headers_size = 0;
  std::vector<PeSection> sections;   // at most 96, in file order; borrow from the file
  // Errors: image_malformed.
  static Result<PeImage> decode(Bytes file);
};

// Windows Authenticode Portable Executable Signature Format, "Calculating the PE Image Hash", as EDK2 does it for each
// bank. Errors: image_malformed, crypto_failed.
Result<Digest> authenticode(const PeImage& image, HashKind kind);

// What firmware measures of the images that it starts, into PCR 4 or RTMR1: the UKI's Authenticode hash, then that of the
// kernel in its .linux, which the stub starts through firmware. Errors: as of predict_pcrs().
struct StartedImages {
  Digest uki, kernel;
};
Result<StartedImages> predict_started_images(Bytes uki, HashKind kind);

// What systemd-stub and the Linux EFI stub measure into PCRs 11 and 9, in the order of the boot, in the bank of `kind`.
struct StubEvent {
  uint8_t pcr = 0;
  Digest digest;
  std::string component;
};
// Errors: as of predict_pcrs().
Result<std::vector<StubEvent>> predict_stub_events(Bytes uki, HashKind kind);

// PCRs 4, 9, 11 and 12, ascending, enforced, each with its one expected value, its component and its events.
// Errors: image_malformed, unsupported, too_long, crypto_failed.
Result<std::vector<PcrReference>> predict_pcrs(Bytes uki);

// The same PCRs of the SHA-384 bank, as a NitroTPM's attestation document has them. AWS's own calculation
// (github.com/aws/NitroTPM-Tools, nitro-tpm-pcr-compute) has PCR 4 from the same events, and 12 zero. Of a boot without
// Secure Boot: with it, stubs start the kernel past firmware, which then measures no second image. Errors: as above.
Result<std::vector<NitroPcr>> predict_nitro_pcrs(Bytes uki);

}  // namespace cstl
