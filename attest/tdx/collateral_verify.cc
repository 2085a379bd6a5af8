#include <algorithm>

#include "attest/tdx/collateral.h"
#include "crypto/x509.h"

namespace cstl::tdx {

namespace {
// The key that signs collateral, once its chain is known to be Intel's: signing certificate and root, nothing between.
Result<P256Point> signing_key(Bytes list, Bytes root_crl, const Trust& trust, CertificateView* leaf_view) {
  Reader r(list);
  auto leaf = r.bytes16(kMaxCertificate);
  if (!leaf) return fail(Code::tdx_collateral_malformed, "collateral.chain");
  auto root = r.bytes16(kMaxCertificate);
  if (!root || r.remaining() != 0) return fail(Code::tdx_collateral_malformed, "collateral.chain");
  const std::vector<Bytes> others{*root};
  const std::vector<Bytes> crls{root_crl};
  const ChainPolicy policy{trust.roots, trust.root_count, trust.now, &crls, CrlDemand::all, true};
  TRY(verify_chain(*leaf, others, policy));
  TRY_LET(*leaf_view, CertificateView::parse(*leaf));
  if (common_name(leaf_view->subject) != kTcbSigningName) {
    return fail(Code::tdx_collateral_signature, "collateral.signer_name");
  }
  TRY_LET(PublicKey key, parse_public_key(leaf_view->spki));
  P256Point point{};
  if (key.kind != KeyKind::p256 || key.point.size() != point.size()) {
    return fail(Code::tdx_collateral_signature, "collateral.signer_key");
  }
  std::memcpy(point.data(), key.point.data(), point.size());
  return point;
}

Status check_signature(const SignedObject& object, const P256Point& key) {
  TRY_LET(Digest32 digest, sha256({object.object}));
  Bytes signature = object.signature;
  auto verified = verify_p256(key, digest, signature.first(32), signature.skip(32));
  if (!verified) {
    return fail(Code::tdx_collateral_signature, "collateral.signature", verified.error().origin,
                verified.error().foreign);
  }
  return success();
}

template <typename T>
Status check_window(const T& object, int64_t now, const char* site) {
  if (now < object.issue_date || now > object.next_update) return fail(Code::tdx_collateral_expired, site);
  return success();
}

Status explained(Status status, const char* what, std::string* problem) {
  if (!status.ok() && problem && problem->empty()) *problem = what;
  return status;
}
}  // namespace

Result<VerifiedCollateral> verify_collateral(const Collateral& collateral, const Trust& trust, std::string* problem) {
  if (problem) problem->clear();
  if (trust.now <= 0) return fail(Code::tdx_collateral_expired, "collateral.clock");
  VerifiedCollateral out;
  auto narrow = [&out](int64_t from, int64_t until) {
    out.not_before_ = std::max(out.not_before_, from);
    out.not_after_ = std::min(out.not_after_, until);
  };
  out.not_after_ = INT64_MAX;

  auto take = [&](Bytes answer, std::string_view name, Bytes chain) -> Result<SignedObject> {
    TRY_LET(SignedObject object, signed_object(answer, name));
    CertificateView leaf;
    TRY_LET(P256Point key, signing_key(chain, collateral.root_crl, trust, &leaf));
    narrow(leaf.not_before, leaf.not_after);
    TRY(check_signature(object, key));
    return object;
  };
  auto tcb_info = take(collateral.tcb_info, "tcbInfo", collateral.tcb_info_chain);
  TRY(explained(tcb_info.ok() ? success() : Status(tcb_info.error()), "TCB info", problem));
  TRY_LET(out.tcb_info_, TcbInfo::parse(tcb_info->object.text(), problem));
  TRY(explained(check_window(out.tcb_info_, trust.now, "collateral.tcb_info"), "TCB info", problem));

  auto identity = take(collateral.qe_identity, "enclaveIdentity", collateral.qe_identity_chain);
  TRY(explained(identity.ok() ? success() : Status(identity.error()), "QE identity", problem));
  TRY_LET(out.qe_identity_, QeIdentity::parse(identity->object.text(), problem));
  TRY(explained(check_window(out.qe_identity_, trust.now, "collateral.qe_identity"), "QE identity", problem));

  narrow(out.tcb_info_.issue_date, out.tcb_info_.next_update);
  narrow(out.qe_identity_.issue_date, out.qe_identity_.next_update);
  for (Bytes der : {collateral.root_crl, collateral.pck_crl}) {
    TRY_LET(Crl crl, Crl::parse(der));
    narrow(crl.this_update(), crl.next_update());
  }
  out.root_crl_ = collateral.root_crl.copy();
  out.pck_crl_ = collateral.pck_crl.copy();
  return out;
}

}  // namespace cstl::tdx
