#include "attest/tdx/verify.h"

#include <algorithm>

#include "crypto/x509.h"

namespace cstl::tdx {

namespace {
Error with_code(Code code, const char* site, const Error& error) {
  return fail(code, site, error.origin, error.foreign);
}

// `key`: X ‖ Y. `signature`: r ‖ s.
Status check_p256(Bytes key, Bytes message, Bytes signature, Code code, const char* site) {
  constexpr size_t kHalf = 32;
  P256Point point{0x04};
  if (key.size() != point.size() - 1) return fail(code, site);
  std::memcpy(point.data() + 1, key.data(), key.size());
  TRY_LET(Digest32 digest, sha256({message}));
  auto verified = verify_p256(point, digest, signature.first(kHalf), signature.skip(kHalf));
  return verified.ok() ? success() : Status(with_code(code, site, verified.error()));
}

struct Leaf {
  CertificateView view;
  PublicKey key;
};

// Roles: a leaf for PCKs under one of the two CAs for them; then the signatures, up to a pinned root.
Result<Leaf> check_chain(const PckChain& chain, const Trust& trust) {
  auto as_chain = [](const Error& error) {
    bool ours = error.code == Code::untrusted_chain || error.code == Code::bad_certificate ||
                error.code == Code::bad_signature || error.code == Code::bad_key;
    return ours ? with_code(Code::tdx_pck_chain, error.site, error) : error;
  };
  auto view = CertificateView::parse(chain.leaf);
  if (!view) return as_chain(view.error());
  if (common_name(view->subject) != kPckLeafName) return fail(Code::tdx_pck_chain, "pck.leaf_name");
  TRY(pck_ca_of(chain));
  const std::vector<Bytes> others{chain.intermediate, chain.root};
  ChainPolicy policy{trust.roots, trust.root_count, trust.now};
  policy.self_signed = true;
  Status verified = verify_chain(chain.leaf, others, policy);
  if (!verified.ok()) return as_chain(verified.error());
  auto key = parse_public_key(view->spki);
  if (!key) return as_chain(key.error());
  if (key->kind != KeyKind::p256) return fail(Code::tdx_pck_chain, "pck.leaf_key");
  return Leaf{*view, std::move(*key)};
}

// Leaf and intermediate against their issuers' lists. The chain itself is known to be good.
Status check_revocation(const PckChain& chain, const VerifiedCollateral& collateral, int64_t now) {
  auto check = [now](Bytes certificate, Bytes issuer, Bytes list, const char* site) -> Status {
    TRY_LET(CertificateView view, CertificateView::parse(certificate));
    TRY_LET(Crl crl, Crl::parse(list));
    if (!equal(crl.issuer(), view.issuer)) return fail(Code::crl_missing, site);
    TRY(crl.verify(issuer, now));
    return crl.lists(view.serial) ? Status(fail(Code::certificate_revoked, site)) : success();
  };
  TRY(check(chain.intermediate, chain.root, collateral.root_crl(), "pck.intermediate"));
  return check(chain.leaf, chain.intermediate, collateral.pck_crl(), "pck.leaf");
}

Status check_binding(const Quote& quote) {
  TRY_LET(Digest32 hash, sha256({quote.attestation_key, quote.qe_auth_data}));
  std::array<uint8_t, 64> expected{};
  std::memcpy(expected.data(), hash.data(), hash.size());
  if (quote.qe_report.report_data != expected) return fail(Code::tdx_qe_binding, "qe.report_data");
  return success();
}
}  // namespace

const char* quote_step_name(QuoteStep step) {
  switch (step) {
    case QuoteStep::form: return "tdx.form";
    case QuoteStep::pck_chain: return "tdx.pck_chain";
    case QuoteStep::revocation: return "tdx.revocation";
    case QuoteStep::pck_extensions: return "tdx.pck_extensions";
    case QuoteStep::qe_report_signature: return "tdx.qe_report_signature";
    case QuoteStep::qe_binding: return "tdx.qe_binding";
    case QuoteStep::quote_signature: return "tdx.quote_signature";
    case QuoteStep::collateral_window: return "tdx.collateral_window";
    case QuoteStep::tcb: return "tdx.tcb";
    case QuoteStep::report_data: return "tdx.report_data";
    case QuoteStep::done: break;
  }
  return "tdx.quote";
}

Result<std::string_view> pck_ca_of(const PckChain& chain) {
  auto view = CertificateView::parse(chain.intermediate);
  if (!view) return with_code(Code::tdx_pck_chain, "pck.intermediate", view.error());
  std::string_view name = common_name(view->subject);
  if (name == kPlatformCaName) return std::string_view("platform");
  if (name == kProcessorCaName) return std::string_view("processor");
  return fail(Code::tdx_pck_chain, "pck.intermediate_name");
}

Result<PckExtensions> pck_extensions_of(const PckChain& chain) {
  auto view = CertificateView::parse(chain.leaf);
  if (!view) return with_code(Code::tdx_pck_chain, "pck.leaf", view.error());
  auto extension = view->extension(kSgxExtension);
  if (!extension) return with_code(Code::tdx_pck_extensions, "pck.no_extension", extension.error());
  return PckExtensions::decode(*extension);
}

Status check_report_data(const TdReport& report, Bytes expected) {
  if (expected.size() != kReportData && expected.size() != kReportData / 2) {
    return fail(Code::bad_value, "tdx.report_data_size");
  }
  std::array<uint8_t, kReportData> whole{};
  std::memcpy(whole.data(), expected.data(), expected.size());
  if (report.report_data != whole) return fail(Code::tdx_report_data, "tdx.report_data");
  return success();
}

Result<VerifiedQuote> verify_quote(Bytes bytes, const VerifiedCollateral* collateral, const Trust& trust,
                                   Bytes report_data, QuoteStep& reached) {
  reached = QuoteStep::form;
  TRY_LET(Quote quote, Quote::decode(bytes));
  reached = QuoteStep::pck_chain;
  if (trust.now <= 0) return fail(Code::certificate_not_yet_valid, "tdx.clock");
  TRY_LET(PckChain chain, PckChain::decode(quote.pck_chain));
  TRY_LET(Leaf leaf, check_chain(chain, trust));
  reached = QuoteStep::revocation;
  if (collateral != nullptr) TRY(check_revocation(chain, *collateral, trust.now));
  reached = QuoteStep::pck_extensions;
  VerifiedQuote out;
  TRY_LET(out.pck_, pck_extensions_of(chain));
  reached = QuoteStep::qe_report_signature;
  TRY(check_p256(Bytes(leaf.key.point).skip(1), quote.qe_report.raw, quote.qe_report_signature,
                 Code::tdx_qe_report_signature, "qe.signature"));
  reached = QuoteStep::qe_binding;
  TRY(check_binding(quote));
  reached = QuoteStep::quote_signature;
  TRY(check_p256(quote.attestation_key, quote.signed_bytes, quote.signature, Code::tdx_quote_signature,
                 "tdx.signature"));
  out.not_before_ = leaf.view.not_before;
  out.not_after_ = leaf.view.not_after;
  if (collateral != nullptr) {
    reached = QuoteStep::collateral_window;
    if (trust.now < collateral->not_before() || trust.now > collateral->not_after()) {
      return fail(Code::tdx_collateral_expired, "tdx.collateral");
    }
    out.not_before_ = std::max(out.not_before_, collateral->not_before());
    out.not_after_ = std::min(out.not_after_, collateral->not_after());
    reached = QuoteStep::tcb;
    TRY_LET(out.tcb_, judge_tcb(collateral->tcb_info(), collateral->qe_identity(), out.pck_, quote.report,
                                quote.qe_report));
  } else {
    reached = QuoteStep::tcb;
    TRY(check_enclave(quote.qe_report));
  }
  reached = QuoteStep::report_data;
  if (!report_data.empty()) {
    TRY(check_report_data(quote.report, report_data));
    out.bound_ = true;
  }
  reached = QuoteStep::done;
  out.version_ = quote.version;
  out.report_ = quote.report;
  out.qe_vendor_id_ = quote.qe_vendor_id;
  out.qe_isv_svn_ = quote.qe_report.isv_svn;
  TRY_LET(out.platform_, sha256({out.pck_.ppid}));
  return out;
}

}  // namespace cstl::tdx
