// The LUKS2 header of a state disk, parsed and judged before libcryptsetup sees it (LUKS2 On-Disk Format 1.1.3).
//
// The disk belongs to the host, and nothing authenticates a LUKS2 header: whoever changes it could ask for a null
// cipher, leave out the integrity tags, move the data or make the KDF eat all memory. So a sealed disk is used only
// when its header is, member for member, one that this system writes; anything else is refused with disk_header and a
// site that names it.
// Whoever opens the disk works on the same copy in memory that was judged here (initrd/statedisk.h), never on the disk.
//
// Total; allocates for the JSON only (12 KiB of text); no I/O, no logging, no secrets.
#pragma once

#include "crypto/sign.h"

namespace cstl {

constexpr size_t kLuksCopy = 16384;                        // one copy: 4096 bytes binary header, 12288 bytes JSON area
constexpr size_t kLuksBinary = 4096;
constexpr size_t kLuksHeaders = 2 * kLuksCopy;             // primary, then secondary
constexpr uint64_t kLuksKeyslots = 1024 * 1024;            // room for two keyslots, behind the copies
constexpr uint64_t kLuksDataOffset = 2 * 1024 * 1024;      // cryptsetup's 16 MiB are more to wipe and to copy
constexpr const char* kLuksLabel = "cstl-state";
constexpr const char* kLuksSubsystem = "cstl";
constexpr const char* kLuksCipher = "aes";
constexpr const char* kLuksMode = "xts-plain64";
constexpr const char* kLuksIntegrity = "hmac(sha256)";
constexpr uint32_t kLuksSector = 4096;
constexpr size_t kLuksVolumeKey = 96;                      // 64 for aes-xts, 32 for hmac(sha256)
constexpr uint32_t kArgonTime = 4;                         // what we write; up to four times as much is accepted
constexpr uint32_t kArgonMemoryKib = 64 * 1024;
constexpr uint32_t kArgonThreads = 1;

enum class DiskState : uint8_t {
  blank,   // 32 KiB of zeros: nothing of LUKS here (the caller still looks for other signatures)
  fresh,   // ours and never sealed, or a format that a power cut interrupted: it holds nothing, format it (again)
  sealed,  // ours, strictly checked: its key is the derived one; never reformat it
};

struct LuksHeader {
  DiskState state = DiskState::blank;
  Uuid uuid{};             // fresh and sealed; zero for an interrupted format
  P256Point owner_key{};   // sealed only: who may recover it
};

// Judges the first kLuksHeaders bytes of a disk; of two valid copies the one with the higher sequence number counts, as
// in libcryptsetup. Errors: truncated, trailing (not that many bytes), disk_header:
//   disk.foreign     no LUKS2 header, and not blank
//   luks.checksum    no copy has a valid checksum
//   luks.version, luks.size, luks.offset, luks.checksum_alg, luks.uuid, luks.padding   the binary header
//   luks.subsystem   a LUKS2 disk of someone else
//   luks.json, luks.<object>.<member>   the JSON area
Result<LuksHeader> read_luks_header(Bytes headers);

// The strict check of a sealed disk's metadata alone: the text of the JSON area. Used a second time on what
// libcryptsetup says it has loaded. Errors: as above.
Result<P256Point> check_sealed_json(std::string_view json);

// The token for slot 0; `owner` null: state "fresh".
std::string luks_token(const P256Point* owner);

}  // namespace cstl
