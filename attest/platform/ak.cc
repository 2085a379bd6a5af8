#include "attest/platform/ak.h"

namespace cstl {

Result<Digest64> tee_report_data(const Digest32& qualifier, Bytes registers, Bytes ak_public) {
  constexpr std::array<uint8_t, kRegisters> kZeros{};
  if (!registers.empty() && registers.size() != kRegisters) return fail(Code::bad_value, "report_data.registers");
  Digest32 ak{};
  if (!ak_public.empty()) {
    TRY_LET(ak, sha256({ak_public}));
  }
  return sha512({"cstl-tee-1", qualifier, registers.empty() ? Bytes(kZeros) : registers, ak});
}

Result<Digest64> tee_report_data(const Digest32& qualifier, const Evidence& evidence) {
  return tee_report_data(qualifier, evidence.registers, evidence.ak_public);
}

Result<std::vector<Bytes>> split_certificates(Bytes list, Code refusal) {
  std::vector<Bytes> out;
  Reader r(list);
  while (r.remaining() > 0) {
    if (out.size() == kMaxChain) return fail(refusal, "certificates.count");
    auto certificate = r.bytes16(kMaxCertificate);
    if (!certificate.ok() || certificate->empty()) return fail(refusal, "certificates.form");
    out.push_back(*certificate);
  }
  if (out.empty()) return fail(refusal, "certificates.none");
  return out;
}

Status check_ak_certificate(Bytes certificate, const tpm::Public& ak) {
  TRY_LET(PublicKey key, certificate_key(certificate));
  if (ak.type == tpm::kAlgRsa) {
    if (key.kind != KeyKind::rsa || key.exponent != ak.rsa_exponent || !equal(key.modulus, ak.rsa_modulus)) {
      return fail(Code::ak_mismatch, "ak.certificate");
    }
    return success();
  }
  // A TPM may leave leading zeros of a coordinate out.
  P256Point point{0x04};
  if (ak.ecc_x.size() > 32 || ak.ecc_y.size() > 32) return fail(Code::ak_mismatch, "ak.point");
  if (!ak.ecc_x.empty()) std::memcpy(point.data() + 33 - ak.ecc_x.size(), ak.ecc_x.data(), ak.ecc_x.size());
  if (!ak.ecc_y.empty()) std::memcpy(point.data() + 65 - ak.ecc_y.size(), ak.ecc_y.data(), ak.ecc_y.size());
  if (key.kind != KeyKind::p256 || !equal(key.point, point)) return fail(Code::ak_mismatch, "ak.certificate");
  return success();
}

}  // namespace cstl
