// Collateral of SEV-SNP reports: what a verifier may need besides report, certificates and pinned roots, all of it
// signed by AMD's root. It comes stapled to evidence, from a folder, or from AMD's key service (kds.h); where from
// makes no difference to what is checked.
//
// Stapled form: entries u8 kind, u32 length (big endian), bytes; kinds ascending, each at most once.
// | kind | what | limit |
// |---|---|---|
// | 1 | CRL of the root, as the key service gives it under /vcek/v1/, DER | kMaxCollateralCrl |
// | 2 | the same under /vlek/v1/ | kMaxCollateralCrl |
// Kinds 3 to 31 are refused: a verifier must not overlook what it does not know. The certificates travel with the
// evidence.
#pragma once

#include "attest/snp/verify.h"

namespace cstl::snp {

constexpr size_t kMaxCollateral = 64 * 1024;
constexpr size_t kMaxCollateralCrl = 32 * 1024;
constexpr size_t kMaxTable = 64 * 1024;      // certificate table of the host

// Borrows. Missing ones are empty.
struct Collateral {
  Bytes vcek_crl, vlek_crl;

  // Form alone. Errors: snp_collateral_malformed.
  static Result<Collateral> decode(Bytes stapled);
  // Errors: too_long.
  Result<Bytes> encode(MutBytes out) const;
  // For VerifyPolicy::crls.
  std::vector<Bytes> crls() const;
};

// The table of certificates that a host gives with an extended guest request (56421, GHCB, 4.1.8.1), and the file
// auxblob of configfs-tsm: entries of GUID, u32 offset, u32 length (little endian), ended by a zero GUID. Borrows;
// missing ones are empty; tables with other GUIDs are read, and those skipped. The host may put there what it likes:
// verify_leaf() judges.
struct CertificateTable {
  Bytes vcek, vlek, ask, ark;

  // Errors: snp_collateral_malformed (no end, an entry outside of the table, a GUID twice).
  static Result<CertificateTable> decode(Bytes table);
  // Leaf (VLEK if `signer` says so), ASK (in its place a provider puts the ASVK), ARK: as evidence carries them; those
  // that are missing are left out. Errors: snp_certificate_missing without a leaf; too_long.
  Result<Bytes> evidence_items(Signer signer, MutBytes out) const;
};

// What a verifier or a machine keeps, per product: PEM and DER files of a folder, named by what they are about, so that
// one folder serves a whole fleet: <product>-<vcek|vlek>-chain.pem, <product>-<vcek|vlek>.crl, and vcek-<chip
// id>-<TCB>.der, where <product> is "milan", …, <chip id> the first 16 bytes as hexadecimal digits, <TCB> 16 digits.
struct CollateralFiles {
  std::vector<std::vector<uint8_t>> chain;  // ASK or ASVK, ARK
  std::vector<uint8_t> crl;                 // empty if the folder has none
  std::vector<uint8_t> leaf;                // empty if the folder has none; never a VLEK, which the provider keeps
};
std::string chain_file(Product product, Signer signer);
std::string crl_file(Product product, Signer signer);
std::string vcek_file(const ChipId& chip, uint64_t tcb);
// For a report; its product is `product`, since version 2 doesn't tell. Nothing is believed here. Errors: not_found (no
// chain) and other errors of files; bad_certificate, crl_malformed.
Result<CollateralFiles> read_collateral(const std::string& folder, const Report& report, Product product);

}  // namespace cstl::snp
