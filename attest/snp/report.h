// SEV-SNP attestation reports (AMD document 56860, SEV-SNP firmware ABI, table "ATTESTATION_REPORT"), as the AMD secure
// processor writes them: 1184 bytes, little endian, the first 672 of them signed.
//
// The parser is total and checks form alone: it believes nothing, allocates nothing, and its result owns its bytes,
// which are public. Versions 2 to 5 are known. A newer version is read with the fields of version 5, whose places AMD
// has never moved: what is reserved in version 5 may hold something then, which the signature covers and nobody here
// uses.
#pragma once

#include <string>

#include "crypto/hash.h"

namespace cstl::snp {

constexpr size_t kReportSize = 1184;
constexpr size_t kReportSigned = 672;       // bytes that the signature covers
constexpr size_t kReportData = 64;
constexpr uint32_t kNewestVersion = 5;      // whose reserved bytes are known

using ChipId = std::array<uint8_t, 64>;

// Processor families with SEV-SNP. Bergamo and Siena are Genoa here, as in AMD's key service.
enum class Product : uint8_t { unknown, milan, genoa, turin };
constexpr size_t kProducts = 4;
const char* product_name(Product product);        // "Milan", "Genoa", "Turin", "unknown"
Product product_from(std::string_view name);      // of "Milan", and of "Milan-B0" as certificates have it
Product product_of_cpuid(uint8_t family, uint8_t model);  // CPUID Fn0000_0001_EAX, extended and base parts added up

// The key that signed: of a chip (VCEK), of a cloud provider (VLEK), none.
enum class Signer : uint8_t { vcek = 0, vlek = 1, none = 7 };
const char* signer_name(Signer key);     // "VCEK", "VLEK", "none"

// Security patch levels. They order each by itself: a version is at least another if each component is.
struct Tcb {
  uint8_t fmc = 0;          // Turin and later; else 0
  uint8_t bootloader = 0;
  uint8_t tee = 0;
  uint8_t snp = 0;
  uint8_t microcode = 0;
  // TCB_VERSION as `product` lays it out: Milan, Genoa (56860, table 3) or Turin (with FMC). Reserved bytes are
  // skipped.
  static Tcb from(uint64_t raw, Product product);
  uint64_t raw(Product product) const;
  bool at_least(const Tcb& floor) const;
  std::string text() const;  // "bootloader 2, tee 0, snp 5, microcode 68" with ", fmc 1" in front if not 0
};

// POLICY: what the guest's owner allows.
struct GuestPolicy {
  uint64_t raw = 0;
  uint8_t abi_minor() const { return static_cast<uint8_t>(raw); }
  uint8_t abi_major() const { return static_cast<uint8_t>(raw >> 8); }
  bool smt() const { return bit(16); }                  // may run with SMT on
  bool migration_agent() const { return bit(18); }      // may be associated with one
  bool debug() const { return bit(19); }                // the host may decrypt it
  bool single_socket() const { return bit(20); }        // one socket only
  bool cxl() const { return bit(21); }                  // CXL memory is allowed
  bool memory_aes_256_xts() const { return bit(22); }   // is required
  bool rapl_disabled() const { return bit(23); }        // is required
  bool ciphertext_hiding() const { return bit(24); }    // is required
  bool page_swap_disabled() const { return bit(25); }
  bool bit(unsigned n) const { return (raw >> n & 1) != 0; }
  std::string text() const;  // "ABI 0.31, SMT"
};

// PLATFORM_INFO: how the host is configured.
struct PlatformInfo {
  uint64_t raw = 0;
  bool smt() const { return bit(0); }
  bool tsme() const { return bit(1); }
  bool ecc() const { return bit(2); }
  bool rapl_disabled() const { return bit(3); }
  bool ciphertext_hiding() const { return bit(4); }
  bool alias_check() const { return bit(5); }           // memory aliases were searched for at boot (BadRAM)
  bool tio() const { return bit(7); }
  bool bit(unsigned n) const { return (raw >> n & 1) != 0; }
  std::string text() const;
};

struct FirmwareVersion {
  uint8_t build = 0, minor = 0, major = 0;
};

struct Report {
  uint32_t version = 0;
  uint32_t guest_svn = 0;
  GuestPolicy policy;
  std::array<uint8_t, 16> family_id{};
  std::array<uint8_t, 16> image_id{};
  uint32_t vmpl = 0;
  uint64_t current_tcb = 0;             // Tcb::from() of these, once the product is known
  PlatformInfo platform;
  Signer signing_key = Signer::none;
  bool chip_key_masked = false;         // MASK_CHIP_KEY: the host lets no VCEK sign
  bool author_key = false;              // author_key_digest is of a key that signed the ID key
  Digest64 report_data{};
  Digest48 measurement{};
  Digest32 host_data{};
  Digest48 id_key_digest{};
  Digest48 author_key_digest{};
  Digest32 report_id{};
  Digest32 report_id_ma{};
  uint64_t reported_tcb = 0;
  uint8_t cpuid_family = 0, cpuid_model = 0, cpuid_stepping = 0;  // version 3 and later; else 0
  ChipId chip_id{};
  uint64_t committed_tcb = 0;
  FirmwareVersion current, committed;
  uint64_t launch_tcb = 0;
  uint64_t launch_mitigations = 0, current_mitigations = 0;       // version 5 and later; else 0
  std::array<uint8_t, 48> r{}, s{};     // big endian, unlike in the report

  bool chip_masked() const;             // CHIP_ID is all zeros, as MASK_CHIP_ID of the host makes it
  bool names_processor() const { return version >= 3; }
  // Of CPUID; unknown for version 2, and for processors that this build does not know.
  Product product() const;

  // Errors: truncated, trailing, snp_report_version (below 2), snp_report_unsigned (no key, or another algorithm than
  // ECDSA P-384 with SHA-384), snp_report_malformed (reserved bits and bytes of known versions, a reserved signing key,
  // policy bit 17, r or s over 48 bytes, bytes after s).
  static Result<Report> decode(Bytes input);
};

}  // namespace cstl::snp
