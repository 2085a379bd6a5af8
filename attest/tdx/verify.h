// Verification of a TDX quote: separate steps, each with its own codes, in the order of QuoteStep. VerifiedQuote is
// what only verify_quote() can make: whoever holds one holds a TD report that a quoting enclave signed whose key a
// platform has that Intel certified, up to a pinned root. What the values are worth, a reference says (reference.h).
//
// With collateral, revocation and the platform's TCB are judged; without, the quoting enclave must still be Intel's by
// its signer and product, has_tcb() is false, and only a reference that says so accepts that. No I/O, no clock but the
// caller's.
#pragma once

#include <optional>

#include "attest/tdx/collateral.h"

namespace cstl::tdx {

// Intel's quoting enclaves, in the header of a quote.
constexpr std::array<uint8_t, 16> kIntelQeVendor{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                                 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

enum class QuoteStep : uint8_t {
  form,            // quote.h: truncated, trailing, too_long, unsupported, bad_value
  pck_chain,       // tdx_pck_chain; certificate_expired, certificate_not_yet_valid
  revocation,      // with collateral: certificate_revoked, crl_malformed, crl_signature, crl_expired, …, crl_missing
  pck_extensions,  // tdx_pck_extensions
  qe_report_signature,  // tdx_qe_report_signature
  qe_binding,           // tdx_qe_binding: QE's REPORTDATA = SHA-256(attestation key ‖ QE auth data) ‖ 0³²
  quote_signature,      // tdx_quote_signature
  collateral_window,    // with collateral: tdx_collateral_expired
  tcb,                  // tdx_qe_identity; with collateral: tdx_tcb_info_mismatch, tdx_module, tdx_tcb_unsupported
  report_data,          // tdx_report_data
  done,
};
const char* quote_step_name(QuoteStep step);  // "tdx.form", "tdx.pck_chain", …

// "platform" or "processor": which of Intel's two PCK CAs issued the leaf, for the CRL's URL and file. Reads the chain
// of a quote without believing it. Errors: tdx_pck_chain.
Result<std::string_view> pck_ca_of(const PckChain& chain);
// FMSPC and the like of such a chain's leaf. Errors: tdx_pck_chain, tdx_pck_extensions.
Result<PckExtensions> pck_extensions_of(const PckChain& chain);

// What REPORTDATA must hold: 64 bytes, or 32 that fill its front with zeros behind (a SHA-256, as Azure has it).
// Errors: tdx_report_data; bad_value when `expected` is neither.
Status check_report_data(const TdReport& report, Bytes expected);

class VerifiedQuote {
 public:
  uint16_t version() const { return version_; }
  const TdReport& report() const { return report_; }
  const PckExtensions& pck() const { return pck_; }
  const std::array<uint8_t, 16>& qe_vendor_id() const { return qe_vendor_id_; }
  uint16_t qe_isv_svn() const { return qe_isv_svn_; }
  bool has_tcb() const { return tcb_.has_value(); }
  const TcbVerdict& tcb() const { return *tcb_; }  // only if has_tcb()
  // REPORTDATA was compared with what the caller expects. Without that, the quote may be anyone's and of any time.
  bool bound() const { return bound_; }
  // Who the platform is, stable over reboots and TCB updates: SHA-256 of the PPID.
  const Digest32& platform() const { return platform_; }
  // Until when what the verdict rests on is valid: certificates, and collateral if there was some. Unix seconds,
  // inside.
  int64_t not_before() const { return not_before_; }
  int64_t not_after() const { return not_after_; }

 private:
  friend Result<VerifiedQuote> verify_quote(Bytes, const VerifiedCollateral*, const Trust&, Bytes, QuoteStep&);
  VerifiedQuote() = default;
  uint16_t version_ = 0;
  TdReport report_;
  PckExtensions pck_;
  std::array<uint8_t, 16> qe_vendor_id_{};
  uint16_t qe_isv_svn_ = 0;
  std::optional<TcbVerdict> tcb_;
  bool bound_ = false;
  Digest32 platform_{};
  int64_t not_before_ = 0, not_after_ = INT64_MAX;
};

// All steps. `collateral` may be null. `report_data` as for check_report_data(); empty: not compared (a quote in a
// file, say). `trust.now` must not be 0: certificate_not_yet_valid. `reached` tells the step that failed, or done.
Result<VerifiedQuote> verify_quote(Bytes quote, const VerifiedCollateral* collateral, const Trust& trust,
                                   Bytes report_data, QuoteStep& reached);

}  // namespace cstl::tdx
