// Collateral of TDX quotes: what a verifier needs besides the quote and the pinned root, all of it signed by Intel. It
// comes stapled to evidence, from a folder, or from Intel's service (pcs.h); where from makes no difference to what is
// checked.
//
// Stapled form: entries u8 kind, u32 length (big endian), bytes; kinds ascending, each at most once.
// | kind | what | limit |
// |---|---|---|
// | 32 | TCB info: {"tcbInfo":{…},"signature":"…"}, exactly as Intel's PCS API version 4 answers | kMaxSignedObject |
// | 33 | who signed it: TCB signing certificate and root, each u16 length and DER | kMaxIssuerChain |
// | 34 | identity of the TD quoting enclave: {"enclaveIdentity":{…},"signature":"…"} | kMaxSignedObject |
// | 35 | who signed that | kMaxIssuerChain |
// | 36 | CRL of the PCK CA that issued the quote's PCK certificate, DER | kMaxCollateralCrl |
// | 37 | CRL of the root CA, DER | kMaxCollateralCrl |
#pragma once

#include "attest/tdx/tcb.h"

namespace cstl::tdx {

constexpr size_t kMaxCollateral = 64 * 1024;       // stapled
constexpr size_t kMaxIssuerChain = 8 * 1024;
constexpr size_t kMaxCollateralCrl = 48 * 1024;

enum class CollateralKind : uint8_t {
  tcb_info = 32,
  tcb_info_chain = 33,
  qe_identity = 34,
  qe_identity_chain = 35,
  pck_crl = 36,
  root_crl = 37,
};

// Borrows.
struct Collateral {
  Bytes tcb_info, tcb_info_chain, qe_identity, qe_identity_chain, pck_crl, root_crl;

  // Form alone; every kind must be there. Errors: tdx_collateral_malformed.
  static Result<Collateral> decode(Bytes stapled);
  // Errors: too_long.
  Result<Bytes> encode(MutBytes out) const;
};

// Owns.
struct CollateralFiles {
  std::vector<uint8_t> tcb_info, tcb_info_chain, qe_identity, qe_identity_chain, pck_crl, root_crl;
  Collateral view() const;
};

// A folder with the answers as a download keeps them, named by what they are about, so that one folder serves a whole
// fleet: tcb-info-<fmspc>.json, tcb-info-<fmspc>.pem (its issuer chain), qe-identity.json, qe-identity.pem,
// pck-crl-<ca>.der, root-crl.der; <fmspc> 12 lower-case hexadecimal digits, <ca> "platform" or "processor". Errors:
// not_found and other errors of files; tdx_collateral_malformed.
Result<CollateralFiles> read_collateral(const std::string& folder, const Fmspc& fmspc, std::string_view ca);
// Writes what read_collateral() reads, each file whole or not at all. Errors: those of files.
Status write_collateral(const std::string& folder, const Fmspc& fmspc, std::string_view ca,
                        const CollateralFiles& files);

// The form of the issuer chains above: certificates of PEM to a list and back. Errors: tdx_collateral_malformed.
Result<std::vector<uint8_t>> issuer_chain_of_pem(Bytes pem);
Result<std::string> issuer_chain_to_pem(Bytes list);

// The object that `name` ("tcbInfo", "enclaveIdentity") holds in such an answer, byte for byte as it was signed, and
// the signature, r ‖ s. No white space and no other member stand around them, as Intel writes it; so there is one way
// to read the answer. Errors: tdx_collateral_malformed.
struct SignedObject {
  Bytes object;
  std::array<uint8_t, 64> signature{};
};
Result<SignedObject> signed_object(Bytes answer, std::string_view name);

// Who may vouch: roots by SPKI hash; and the time, Unix seconds of the verifier, not 0.
struct Trust {
  const Digest32* roots = nullptr;
  size_t root_count = 0;
  int64_t now = 0;
};

// Collateral that is Intel's (of a pinned root) and current. Only verify_collateral() makes one; it may serve many
// quotes of platforms with the same FMSPC and PCK CA, until `not_after`.
class VerifiedCollateral {
 public:
  const TcbInfo& tcb_info() const { return tcb_info_; }
  const QeIdentity& qe_identity() const { return qe_identity_; }
  Bytes pck_crl() const { return pck_crl_; }      // its issuer is the quote's to name: verify_quote() checks it
  Bytes root_crl() const { return root_crl_; }
  int64_t not_before() const { return not_before_; }  // Unix seconds; both ends inside
  int64_t not_after() const { return not_after_; }

 private:
  friend Result<VerifiedCollateral> verify_collateral(const Collateral&, const Trust&, std::string*);
  VerifiedCollateral() = default;
  TcbInfo tcb_info_;
  QeIdentity qe_identity_;
  std::vector<uint8_t> pck_crl_, root_crl_;
  int64_t not_before_ = 0, not_after_ = 0;
};

// Both objects: issuer chain to a pinned root, that the issuer is the TCB signing key and the root does not revoke it,
// signature over the exact bytes, form, and that `now` is in [issueDate, nextUpdate]. `problem` (may be null) gets
// words. Errors: tdx_collateral_malformed, tdx_collateral_signature, tdx_collateral_expired, and of the chain and its
// CRL: untrusted_chain, bad_certificate, certificate_revoked, certificate_expired, certificate_not_yet_valid, crl_*.
Result<VerifiedCollateral> verify_collateral(const Collateral& collateral, const Trust& trust, std::string* problem);

}  // namespace cstl::tdx
