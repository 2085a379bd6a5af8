// Certification paths (RFC 5280, 6.1): mbedTLS parses every certificate, and with it refuses critical extensions that it
// does not know; names, authority, path length, validity and revocation are judged here, since a verifier of evidence has a
// clock of its own, pins keys instead of certificates, and tells which check failed.
#include "crypto/mbedtls.h"
#include "crypto/x509.h"

namespace cstl {

namespace {
constexpr std::array<uint8_t, 3> kNameConstraints{0x55, 0x1d, 0x1e};

struct Link {
  Bytes der;
  CertificateView view;
  PublicKey key;                   // kind `other` when we cannot verify by it
  bool pinned = false;
  bool used = false;
  bool authority = false;          // basic constraints and key usage let it sign certificates
  size_t path_length = SIZE_MAX;   // intermediates allowed below it
};

Result<Link> read_link(Bytes der, const ChainPolicy& policy) {
  if (der.size() > kMaxCertificate) return fail(Code::bad_certificate, "chain.size");
  Certificate parsed;
  TRY(mbed_ok(mbedtls_x509_crt_parse_der_nocopy(parsed.get(), der.data(), der.size()), Code::bad_certificate,
              "chain.parse"));
  Link out;
  out.der = der;
  TRY_LET(out.view, CertificateView::parse(der));
  // Critical ones mbedTLS has refused; but what narrows an authority counts, however it is marked.
  if (out.view.extension(kNameConstraints).ok()) return fail(Code::bad_certificate, "chain.name_constraints");
  if (Result<PublicKey> key = parse_public_key(out.view.spki); key.ok()) out.key = std::move(*key);
  out.authority = parsed->version == 3 && parsed->MBEDTLS_PRIVATE(ca_istrue) != 0 &&
                  mbedtls_x509_crt_check_key_usage(parsed.get(), MBEDTLS_X509_KU_KEY_CERT_SIGN) == 0;
  // mbedTLS keeps the length plus one, and zero for none.
  int stored = parsed->MBEDTLS_PRIVATE(max_pathlen);
  if (stored > 0) out.path_length = static_cast<size_t>(stored) - 1;
  TRY_LET(Digest32 hash, sha256({out.view.spki}));
  for (size_t i = 0; i < policy.root_count; ++i) out.pinned = out.pinned || hash == policy.roots[i];
  return out;
}

bool self_issued(const Link& link) { return equal(link.view.issuer, link.view.subject); }

bool signed_by(const Link& child, const Link& issuer) {
  Result<SignatureAlgorithm> algorithm = parse_signature_algorithm(child.view.algorithm, Code::bad_certificate);
  return algorithm.ok() &&
         verify_signature(issuer.key, *algorithm, child.view.to_be_signed, child.view.signature).ok();
}

// The certificate that signed `child`, whose path holds `below` intermediates that count; a pinned one if there is one.
Link* find_issuer(std::vector<Link>& links, const Link& child, size_t below) {
  for (bool pinned : {true, false}) {
    for (Link& link : links) {
      if (link.used || link.pinned != pinned || !link.authority || below > link.path_length) continue;
      if (!equal(link.view.subject, child.view.issuer)) continue;
      if (signed_by(child, link)) return &link;
    }
  }
  return nullptr;
}

Status check_validity(const std::vector<const Link*>& path, int64_t now) {
  if (now == 0) return success();
  for (const Link* link : path) {
    if (now > link->view.not_after) return fail(Code::certificate_expired, "chain.not_after");
    if (now < link->view.not_before) return fail(Code::certificate_not_yet_valid, "chain.not_before");
  }
  return success();
}

// What the CRLs say of one certificate of the path.
Status check_revocation(const Link& link, const Link& issuer, const std::vector<Crl>& crls, bool demanded, int64_t now) {
  bool found = false;
  bool current = false;
  Status time = success();
  for (const Crl& crl : crls) {
    if (!equal(crl.issuer(), link.view.issuer)) continue;
    found = true;
    TRY(crl.verify_signature(issuer.der));
    if (crl.lists(link.view.serial)) return fail(Code::certificate_revoked, "chain.revoked");
    Status judged = crl.check_time(now);
    if (judged.ok()) current = true;
    else time = judged;
  }
  if (!found) return demanded ? Status(fail(Code::crl_missing, "chain.no_crl")) : success();
  return current ? success() : time;
}

Status check_revocations(const std::vector<const Link*>& path, const ChainPolicy& policy) {
  std::vector<Crl> crls;
  if (policy.crls != nullptr) {
    for (Bytes der : *policy.crls) {
      TRY_LET(Crl crl, Crl::parse(der));
      crls.push_back(crl);
    }
  }
  if (crls.empty() && policy.demand == CrlDemand::none) return success();
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    bool demanded = policy.demand == CrlDemand::all || (policy.demand == CrlDemand::intermediates && i > 0);
    TRY(check_revocation(*path[i], *path[i + 1], crls, demanded, policy.now));
  }
  return success();
}
}  // namespace

Status verify_chain(Bytes leaf, const std::vector<Bytes>& others, const ChainPolicy& policy) {
  TRY(crypto_start());
  if (others.size() >= kMaxChain) return fail(Code::bad_certificate, "chain.length");
  TRY_LET(Link first, read_link(leaf, policy));
  std::vector<Link> links;
  bool any_pinned = false;
  bool leaf_sent_again = false;
  for (Bytes der : others) {
    TRY_LET(Link link, read_link(der, policy));
    any_pinned = any_pinned || link.pinned;
    leaf_sent_again = leaf_sent_again || equal(der, leaf);
    links.push_back(std::move(link));
  }
  if (!any_pinned) return fail(Code::untrusted_chain, "chain.no_pinned_root");

  std::vector<const Link*> path{&first};
  // A pinned certificate may vouch for itself alone if it is a root, listed among the roots.
  bool alone = first.pinned && leaf_sent_again && self_issued(first);
  size_t below = 0;
  while (!alone && (path.size() == 1 || !path.back()->pinned)) {
    Link* issuer = find_issuer(links, *path.back(), below);
    if (issuer == nullptr) return fail(Code::untrusted_chain, "chain.no_issuer");
    issuer->used = true;
    path.push_back(issuer);
    if (!self_issued(*issuer)) ++below;
  }
  // A root is believed for its key; what else stands in it must be what that key signed.
  const Link& last = *path.back();
  bool root = policy.self_signed || self_issued(last);
  if (root && !signed_by(last, last)) return fail(Code::untrusted_chain, "chain.root_signature");
  TRY(check_validity(path, policy.now));
  return check_revocations(path, policy);
}

}  // namespace cstl
