#include "attest/tdx/collateral.h"

#include "crypto/base/base64.h"
#include "crypto/x509.h"

namespace cstl::tdx {

namespace {
constexpr Code kMalformed = Code::tdx_collateral_malformed;
constexpr size_t kIssuerCertificates = 2;  // TCB signing certificate, root

struct Part {
  CollateralKind kind;
  Bytes Collateral::* member;
  size_t max;
};
constexpr Part kParts[] = {
    {CollateralKind::tcb_info, &Collateral::tcb_info, kMaxSignedObject},
    {CollateralKind::tcb_info_chain, &Collateral::tcb_info_chain, kMaxIssuerChain},
    {CollateralKind::qe_identity, &Collateral::qe_identity, kMaxSignedObject},
    {CollateralKind::qe_identity_chain, &Collateral::qe_identity_chain, kMaxIssuerChain},
    {CollateralKind::pck_crl, &Collateral::pck_crl, kMaxCollateralCrl},
    {CollateralKind::root_crl, &Collateral::root_crl, kMaxCollateralCrl},
};

// How long the object at the front of `text` is, by its braces; those in strings don't count. 0: it does not end.
size_t object_size(std::string_view text) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

bool take(std::string_view& text, std::string_view expected) {
  if (text.substr(0, expected.size()) != expected) return false;
  text.remove_prefix(expected.size());
  return true;
}
}  // namespace

Result<Collateral> Collateral::decode(Bytes stapled) {
  if (stapled.size() > kMaxCollateral) return fail(kMalformed, "collateral.size");
  Reader r(stapled);
  Collateral out;
  for (const Part& part : kParts) {
    auto kind = r.u8();
    if (!kind || *kind != static_cast<uint8_t>(part.kind)) return fail(kMalformed, "collateral.kind");
    auto content = r.bytes32(part.max);
    if (!content || content->empty()) return fail(kMalformed, "collateral.entry");
    out.*part.member = *content;
  }
  if (r.remaining() != 0) return fail(kMalformed, "collateral.trailing");
  return out;
}

Result<Bytes> Collateral::encode(MutBytes out) const {
  Writer w(out);
  for (const Part& part : kParts) {
    w.u8(static_cast<uint8_t>(part.kind));
    w.bytes32(this->*part.member);
  }
  return w.finish();
}

Collateral CollateralFiles::view() const {
  return Collateral{tcb_info, tcb_info_chain, qe_identity, qe_identity_chain, pck_crl, root_crl};
}

Result<std::vector<uint8_t>> issuer_chain_of_pem(Bytes pem) {
  if (pem.size() > 2 * kMaxIssuerChain) return fail(kMalformed, "collateral.chain_size");
  TRY_LET(auto list, certificates_of_pem(pem, kIssuerCertificates, kMalformed));
  if (list.size() != kIssuerCertificates) return fail(kMalformed, "collateral.chain_length");
  std::vector<uint8_t> out(kMaxIssuerChain);
  Writer w(out);
  for (const auto& der : list) w.bytes16(der);
  auto written = w.finish();
  if (!written) return fail(kMalformed, "collateral.chain_size");
  out.resize(written->size());
  return out;
}

Result<std::string> issuer_chain_to_pem(Bytes list) {
  constexpr size_t kLine = 64;
  Reader r(list);
  std::string out;
  for (size_t i = 0; i < kIssuerCertificates; ++i) {
    auto der = r.bytes16(kMaxCertificate);
    if (!der) return fail(kMalformed, "collateral.chain");
    std::string text = to_base64(*der);
    out += "-----BEGIN CERTIFICATE-----\n";
    for (size_t at = 0; at < text.size(); at += kLine) out += text.substr(at, kLine) + "\n";
    out += "-----END CERTIFICATE-----\n";
  }
  if (r.remaining() != 0) return fail(kMalformed, "collateral.chain_trailing");
  return out;
}

Result<SignedObject> signed_object(Bytes answer, std::string_view name) {
  if (answer.size() > kMaxSignedObject) return fail(kMalformed, "collateral.object_size");
  std::string_view text = answer.text();
  if (!take(text, "{\"") || !take(text, name) || !take(text, "\":") || text.empty() || text[0] != '{') {
    return fail(kMalformed, "collateral.object");
  }
  size_t size = object_size(text);
  if (size == 0) return fail(kMalformed, "collateral.object_end");
  SignedObject out;
  out.object = Bytes(text.substr(0, size));
  text.remove_prefix(size);
  size_t digits = out.signature.size() * 2;
  if (!take(text, ",\"signature\":\"") || !from_hex(text.substr(0, digits), out.signature) ||
      to_hex(out.signature) != text.substr(0, digits)) {  // one spelling: lower case
    return fail(kMalformed, "collateral.signature");
  }
  text.remove_prefix(digits);
  if (text != "\"}") return fail(kMalformed, "collateral.object_trailing");
  return out;
}

}  // namespace cstl::tdx
