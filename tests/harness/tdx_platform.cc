#include "tests/harness/tdx_platform.h"

#include <cstdlib>

#include "crypto/base/base64.h"
#include "crypto/base/utc.h"
#include "tests/harness/der_maker.h"

namespace cstl::test {

using namespace cstl::test::make;
using tdx::TdReport;

namespace {
constexpr std::array<uint8_t, 8> kEcdsaSha256{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
constexpr std::array<uint8_t, 7> kEcPublicKey{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr std::array<uint8_t, 8> kP256{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<uint8_t, 3> kBasicConstraints{0x55, 0x1d, 0x13};
constexpr std::array<uint8_t, 3> kKeyUsage{0x55, 0x1d, 0x0f};
constexpr std::array<uint8_t, 3> kCrlNumber{0x55, 0x1d, 0x14};
constexpr std::array<uint8_t, 3> kSubjectKeyId{0x55, 0x1d, 0x0e};
constexpr std::array<uint8_t, 3> kAuthorityKeyId{0x55, 0x1d, 0x23};
constexpr std::array<uint8_t, 3> kDistributionPoints{0x55, 0x1d, 0x1f};
constexpr std::string_view kListUrl = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";
constexpr std::string_view kRootName = "Intel SGX Root CA";
constexpr uint8_t kRootSerial = 1, kCaSerial = 2, kLeafSerial = 3, kSignerSerial = 4;
constexpr int64_t kDay = 86400;

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) abort();
  return std::move(*result);
}

SigningKey key_of(uint8_t seed, std::string_view name) {
  Digest32 scalar = must(sha256({Bytes("tdx test platform"), Bytes(&seed, 1), Bytes(name)}));
  scalar[0] &= 0x7f;  // below the order
  return must(SigningKey::from_scalar(must(Secret<32>::copy_of(scalar))));
}

Der algorithm() { return sequence({oid(kEcdsaSha256)}); }
Der spki(const SigningKey& key) {
  return sequence({sequence({oid(kEcPublicKey), oid(kP256)}), bits(Bytes(key.point()).copy())});
}

// As RFC 5280 (4.2.1.2) leaves it to the issuer; Intel takes the same 20 bytes for serial and key id.
Der key_id(const SigningKey& key) {
  constexpr size_t kSize = 20;
  return Bytes(must(sha256({Bytes(spki(key))}))).first(kSize).copy();
}

Der distribution_point() {
  Der name = tlv(der::constructed_context(0), tlv(der::context(6), Bytes(kListUrl).copy()));
  return sequence({sequence({tlv(der::constructed_context(0), name)})});
}

P256Signature sign(const SigningKey& key, Bytes message) { return must(key.sign(must(sha256({message})))); }

Der sign_der(const SigningKey& key, const Der& to_be_signed) {
  P256Signature signature = sign(key, to_be_signed);
  Der rs = sequence({integer(Bytes(signature).first(32)), integer(Bytes(signature).skip(32))});
  return sequence({to_be_signed, algorithm(), bits(rs)});
}

void put(Der& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
void put(Der& out, uint64_t value, size_t size) {  // little endian
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

Der member(uint8_t arc, const Der& value) {
  Der id(tdx::kSgxExtension.begin(), tdx::kSgxExtension.end());
  id.push_back(arc);
  return sequence({oid(id), value});
}

Der tcb_member(uint8_t arc, const Der& value) {
  Der id(tdx::kSgxExtension.begin(), tdx::kSgxExtension.end());
  id.insert(id.end(), {2, arc});
  return sequence({oid(id), value});
}

Der sgx_extension(const TdxFacts& facts) {
  constexpr uint8_t kPceSvn = 17, kCpuSvn = 18, kSgxType = 5;
  Der tcb;
  for (uint8_t i = 0; i < facts.sgx_tcb.size(); ++i) put(tcb, tcb_member(i + 1, integer(facts.sgx_tcb[i])));
  put(tcb, tcb_member(kPceSvn, integer(facts.pce_svn)));
  put(tcb, tcb_member(kCpuSvn, octets(facts.sgx_tcb)));
  return sequence({member(1, octets(facts.ppid)), member(2, tlv(der::kSequence, tcb)), member(3, octets(facts.pce_id)),
                   member(4, octets(facts.fmspc)), member(kSgxType, tlv(der::kEnumerated, {1}))});
}

std::string pem(const Der& certificate) {
  constexpr size_t kLine = 64;
  std::string text = to_base64(certificate);
  std::string out = "-----BEGIN CERTIFICATE-----\n";
  for (size_t at = 0; at < text.size(); at += kLine) out += text.substr(at, kLine) + "\n";
  return out + "-----END CERTIFICATE-----\n";
}

std::string components(const tdx::Components& svn) {
  std::string out;
  for (uint8_t one : svn) out += (out.empty() ? "" : ",") + std::string("{\"svn\":") + std::to_string(one) + "}";
  return "[" + out + "]";
}

std::string enclave_level(int svn, const std::string& status, const std::string& advisories) {
  return "{\"tcb\":{\"isvsvn\":" + std::to_string(svn) +
         "},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"" + status + "\"" + advisories + "}";
}
}  // namespace

std::unique_ptr<TdxPlatform> TdxPlatform::create(uint8_t seed) {
  std::unique_ptr<TdxPlatform> out(new TdxPlatform);
  out->root_ = key_of(seed, "root");
  out->ca_ = key_of(seed, "ca");
  out->pck_ = key_of(seed, "pck");
  out->signer_ = key_of(seed, "signer");
  out->attestation_ = key_of(seed, "attestation");
  out->root_hash_ = must(sha256({Bytes(spki(*out->root_))}));
  return out;
}

Der TdxPlatform::certificate(std::string_view subject, const SigningKey& key, std::string_view issuer,
                             const SigningKey& issuer_key, uint8_t serial, bool authority, const Der& extra) const {
  Der usage =
      tlv(der::kBitString, authority ? Der{1, 0x06} : Der{6, 0xc0});  // keyCertSign, cRLSign; or digitalSignature
  Der constraints = authority ? sequence({tlv(der::kBoolean, {0xff})}) : sequence({});
  Der extensions = sequence({extension(kAuthorityKeyId, false, sequence({tlv(der::context(0), key_id(issuer_key))})),
                             extension(kDistributionPoints, false, distribution_point()),
                             extension(kSubjectKeyId, false, octets(key_id(key))), extension(kKeyUsage, true, usage),
                             extension(kBasicConstraints, true, constraints), extra});
  Der to_be_signed = sequence({tlv(der::constructed_context(0), integer(2u)), integer(serial), algorithm(),
                               name(issuer), sequence({make::time(facts.not_before), make::time(facts.not_after)}),
                               name(subject), spki(key), tlv(der::constructed_context(3), extensions)});
  return sign_der(issuer_key, to_be_signed);
}

Der TdxPlatform::list(std::string_view issuer, const SigningKey& key, int64_t now, const Der& serials) const {
  Der revoked;
  for (uint8_t serial : serials) put(revoked, sequence({integer(serial), make::time(now - kDay)}));
  Der to_be_signed =
      sequence({integer(1u), algorithm(), name(issuer), make::time(now - kDay), make::time(now + 29 * kDay),
                revoked.empty() ? Der{} : tlv(der::kSequence, revoked),
                tlv(der::constructed_context(0),
                    sequence({extension(kCrlNumber, false, integer(1u)),
                              extension(kAuthorityKeyId, false, sequence({tlv(der::context(0), key_id(key))}))}))});
  return sign_der(key, to_be_signed);
}

Der TdxPlatform::root_certificate() const {
  return certificate(kRootName, *root_, kRootName, *root_, kRootSerial, true, {});
}

std::string TdxPlatform::pck_chain() const {
  Der extra = facts.sgx_extension ? extension(tdx::kSgxExtension, false, sgx_extension(facts)) : Der{};
  return pem(certificate(facts.leaf_name, *pck_, facts.ca_name, *ca_, kLeafSerial, false, extra)) +
         pem(certificate(facts.ca_name, *ca_, kRootName, *root_, kCaSerial, true, {})) + pem(root_certificate());
}

TdReport TdxPlatform::report() const {
  TdReport out;
  out.tee_tcb_svn = {5, 1, 7};
  out.mr_seam.fill(0x5e);
  out.td_attributes = tdx::kTdSeptVeDisable;
  out.xfam = 0x61ae7;
  out.mr_td.fill(0x7d);
  for (uint8_t i = 0; i < tdx::kRtmrCount; ++i) out.rtmr[i].fill(static_cast<uint8_t>(0xa0 + i));
  return out;
}

Der TdxPlatform::quote(const TdReport& report) const {
  constexpr size_t kReserved = 28, kReserved2 = 32, kReserved3 = 96, kReserved4 = 60;
  Der out;
  put(out, facts.version, 2);
  put(out, tdx::kAttestationKeyP256, 2);
  put(out, tdx::kTeeTdx, 4);
  put(out, 0, 4);
  put(out, facts.qe_vendor_id);
  put(out, Der(20, 0));
  if (facts.version >= 5) {
    put(out, report.is_15 ? tdx::kBodyTdReport15 : tdx::kBodyTdReport10, 2);
    put(out, report.is_15 ? tdx::kTdReport15 : tdx::kTdReport10, 4);
  }
  put(out, report.tee_tcb_svn);
  put(out, report.mr_seam);
  put(out, report.mr_signer_seam);
  put(out, report.seam_attributes);
  put(out, report.td_attributes, 8);
  put(out, report.xfam, 8);
  for (const Digest48& value : {report.mr_td, report.mr_config_id, report.mr_owner, report.mr_owner_config})
    put(out, value);
  for (const Digest48& rtmr : report.rtmr) put(out, rtmr);
  put(out, report.report_data);
  if (report.is_15) {
    put(out, report.tee_tcb_svn2);
    put(out, report.mr_service_td);
  }

  Bytes key = Bytes(attestation_->point()).skip(1);
  Der qe;
  put(qe, facts.sgx_tcb);
  put(qe, Der(4 + kReserved, 0));
  put(qe,
      Der{facts.qe_attributes, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0, 0, 0, 0, 0, 0, 0});  // and XFRM
  put(qe, Der(32, 0xe5));                                             // MRENCLAVE
  put(qe, Der(kReserved2, 0));
  put(qe, facts.qe_signer);
  put(qe, Der(kReserved3, 0));
  put(qe, facts.qe_prod_id, 2);
  put(qe, facts.qe_isv_svn, 2);
  put(qe, Der(kReserved4, 0));
  put(qe, must(sha256({key, facts.qe_auth_data})));
  put(qe, Der(32, 0));
  Der certification = qe;
  put(certification, sign(*pck_, qe));
  put(certification, facts.qe_auth_data.size(), 2);
  put(certification, facts.qe_auth_data);
  std::string chain = pck_chain();
  put(certification, tdx::kCertificationPckChain, 2);
  put(certification, chain.size(), 4);
  put(certification, Bytes(chain));

  Der signature;
  put(signature, sign(*attestation_, out));
  put(signature, key);
  put(signature, tdx::kCertificationQeReport, 2);
  put(signature, certification.size(), 4);
  put(signature, certification);
  put(out, signature.size(), 4);
  put(out, signature);
  return out;
}

std::string TdxPlatform::tcb_info(int64_t now) const {
  auto level = [this](const tdx::Components& sgx, const tdx::Components& tdx, const std::string& status,
                      const std::string& advisories) {
    return "{\"tcb\":{\"sgxtcbcomponents\":" + components(sgx) + ",\"pcesvn\":" + std::to_string(facts.tcb_pce_svn) +
           ",\"tdxtcbcomponents\":" + components(tdx) + "},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"" +
           status + "\"" + advisories + "}";
  };
  const std::string advisory = ",\"advisoryIDs\":[\"INTEL-SA-00960\",\"INTEL-SA-00982\"]";
  std::string best =
      level(facts.tcb_sgx, facts.tcb_tdx, facts.tcb_status, facts.tcb_status == "UpToDate" ? "" : advisory);
  std::string oldest = level(tdx::Components{2, 2}, tdx::Components{1, 0, 1}, "OutOfDate", advisory);
  std::string signer = to_hex(facts.module_signer);
  std::string attributes = "\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\"";
  return "{\"id\":\"TDX\",\"version\":3,\"issueDate\":\"" + utc_text(facts.issued != 0 ? facts.issued : now - kDay) +
         "\",\"nextUpdate\":\"" + utc_text(facts.next_update != 0 ? facts.next_update : now + 29 * kDay) +
         "\",\"fmspc\":\"" + to_hex(facts.tcb_info_fmspc) + "\",\"pceId\":\"0000\",\"tcbType\":0," +
         "\"tcbEvaluationDataNumber\":" + std::to_string(facts.evaluation) + ",\"tdxModule\":{\"mrsigner\":\"" +
         signer + "\"," + attributes + "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",\"mrsigner\":\"" + signer +
         "\"," + attributes + ",\"tcbLevels\":[" + enclave_level(5, facts.module_status, "") + "," +
         enclave_level(3, "OutOfDate", ",\"advisoryIDs\":[\"INTEL-SA-01036\"]") + "]}],\"tcbLevels\":[" + best + "," +
         oldest + "]}";
}

std::string TdxPlatform::qe_identity(int64_t now) const {
  return "{\"id\":\"TD_QE\",\"version\":2,\"issueDate\":\"" + utc_text(facts.issued != 0 ? facts.issued : now - kDay) +
         "\",\"nextUpdate\":\"" + utc_text(facts.next_update != 0 ? facts.next_update : now + 29 * kDay) +
         "\",\"tcbEvaluationDataNumber\":" + std::to_string(facts.evaluation) +
         ",\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\",\"attributes\":"
         "\"11000000000000000000000000000000\"," +
         "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"" + to_hex(tdx::kIntelQeSigner) +
         "\",\"isvprodid\":2,\"tcbLevels\":[" + enclave_level(4, facts.qe_status, "") + "," +
         enclave_level(1, "OutOfDate", ",\"advisoryIDs\":[\"INTEL-SA-00615\"]") + "]}";
}

Der TdxPlatform::signed_answer(const std::string& name, const std::string& object) const {
  std::string text = "{\"" + name + "\":" + object + ",\"signature\":\"" + to_hex(sign(*signer_, object)) + "\"}";
  return Bytes(text).copy();
}

tdx::CollateralFiles TdxPlatform::collateral(int64_t now) const {
  tdx::CollateralFiles out;
  out.tcb_info = signed_answer("tcbInfo", tcb_info(now));
  out.qe_identity = signed_answer("enclaveIdentity", qe_identity(now));
  std::string chain = pem(certificate(facts.signer_name, *signer_, kRootName, *root_, kSignerSerial, false, {})) +
                      pem(root_certificate());
  out.tcb_info_chain = must(tdx::issuer_chain_of_pem(chain));
  out.qe_identity_chain = out.tcb_info_chain;
  out.pck_crl = list(facts.ca_name, *ca_, now, facts.revoke_leaf ? Der{kLeafSerial} : Der{});
  Der by_root;
  if (facts.revoke_ca) by_root.push_back(kCaSerial);
  if (facts.revoke_signer) by_root.push_back(kSignerSerial);
  out.root_crl = list(kRootName, *root_, now, by_root);
  return out;
}

Der TdxPlatform::stapled(int64_t now) const {
  Der space(tdx::kMaxCollateral);
  size_t size = must(collateral(now).view().encode(space)).size();
  space.resize(size);
  return space;
}

}  // namespace cstl::test
