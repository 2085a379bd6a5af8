#include "svc/joinservice/csr.h"

#include "crypto/base/base64.h"
#include "crypto/der.h"

namespace cstl {

namespace {
constexpr size_t kMaxRequest = 4096;
constexpr size_t kMaxText = 128;
constexpr size_t kScalar = 32;

constexpr uint8_t kAttributes = der::constructed_context(0);              // RFC 2986, 4.1
constexpr uint8_t kDnsName = der::context(2), kIpAddress = der::context(7);  // RFC 5280, 4.2.1.6

constexpr std::array<uint8_t, 3> kCommonNameOid{0x55, 0x04, 0x03};
constexpr std::array<uint8_t, 3> kOrganizationOid{0x55, 0x04, 0x0a};
constexpr std::array<uint8_t, 3> kSubjectAltNameOid{0x55, 0x1d, 0x11};
constexpr std::array<uint8_t, 9> kExtensionRequestOid{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e};
constexpr std::array<uint8_t, 8> kEcdsaSha256Oid{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
// SubjectPublicKeyInfo of a P-256 key up to its point: id-ecPublicKey, prime256v1, BIT STRING without unused bits.
constexpr std::array<uint8_t, 26> kP256Spki{0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                            0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

Error refused(const char* site) { return fail(Code::csr_refused, site); }

DerReader reader(Bytes data) { return DerReader(data, Code::csr_refused); }

bool printable(Bytes text) {
  if (text.empty() || text.size() > kMaxText) return false;
  for (uint8_t c : text) {
    if (c < 0x21 || c > 0x7e) return false;
  }
  return true;
}

// Name ::= SEQUENCE OF SET OF SEQUENCE { OID, string }
Status read_subject(Bytes content, CertificateRequest* out) {
  DerReader names = reader(content);
  bool organization = false, common_name = false;
  while (!names.empty()) {
    TRY_LET(Bytes set, names.take(der::kSet, "csr.rdn"));
    DerReader rdn = reader(set);
    TRY_LET(Bytes pair, rdn.take(der::kSequence, "csr.rdn"));
    TRY(rdn.finish("csr.rdn_more"));
    DerReader attribute = reader(pair);
    TRY_LET(Bytes oid, attribute.take(der::kOid, "csr.attribute"));
    TRY_LET(Bytes text, attribute.take(attribute.next_is(der::kUtf8) ? der::kUtf8 : der::kPrintable, "csr.string"));
    TRY(attribute.finish("csr.attribute"));
    if (!printable(text)) return refused("csr.string");
    if (equal(oid, kOrganizationOid) && !organization) {
      organization = true;
      out->organization = std::string(text.text());
    } else if (equal(oid, kCommonNameOid) && !common_name) {
      common_name = true;
      out->common_name = std::string(text.text());
    } else {
      return refused("csr.subject");
    }
  }
  if (!organization || !common_name) return refused("csr.subject");
  return success();
}

Status read_names(Bytes content, CertificateRequest* out) {
  DerReader names = reader(content);
  while (!names.empty()) {
    if (out->dns.size() + out->addresses.size() >= kMaxRequestSans) return refused("csr.sans");
    if (names.next_is(kDnsName)) {
      TRY_LET(Bytes dns, names.take(kDnsName, "csr.dns"));
      if (!printable(dns)) return refused("csr.dns");
      out->dns.emplace_back(dns.text());
      continue;
    }
    TRY_LET(Bytes ip, names.take(kIpAddress, "csr.san_kind"));
    if (ip.size() != 4 && ip.size() != 16) return refused("csr.ip");
    NodeAddress address;
    address.family = ip.size() == 4 ? 4 : 6;
    std::memcpy(address.bytes.data(), ip.data(), ip.size());
    out->addresses.push_back(address);
  }
  return success();
}

// [0] IMPLICIT SET OF Attribute: none, or the extension request (RFC 2985, 5.4.2).
Status read_attributes(Bytes content, CertificateRequest* out) {
  if (content.empty()) return success();
  DerReader attributes = reader(content);
  TRY_LET(Bytes one, attributes.take(der::kSequence, "csr.attributes"));
  TRY(attributes.finish("csr.attributes_more"));
  DerReader attribute = reader(one);
  TRY_LET(Bytes oid, attribute.take(der::kOid, "csr.attribute_kind"));
  if (!equal(oid, kExtensionRequestOid)) return refused("csr.attribute_kind");
  TRY_LET(Bytes set, attribute.take(der::kSet, "csr.extensions"));
  TRY(attribute.finish("csr.extensions"));
  DerReader values = reader(set);
  TRY_LET(Bytes list, values.take(der::kSequence, "csr.extensions"));
  TRY(values.finish("csr.extensions"));
  DerReader extensions = reader(list);
  TRY_LET(Bytes first, extensions.take(der::kSequence, "csr.extension"));
  TRY(extensions.finish("csr.extension_more"));
  DerReader extension = reader(first);
  TRY_LET(Bytes kind, extension.take(der::kOid, "csr.extension"));
  if (!equal(kind, kSubjectAltNameOid)) return refused("csr.extension_kind");
  TRY_LET(Bytes wrapped, extension.take(der::kOctetString, "csr.extension_value"));
  TRY(extension.finish("csr.extension"));
  DerReader value = reader(wrapped);
  TRY_LET(Bytes names, value.take(der::kSequence, "csr.sans"));
  TRY(value.finish("csr.sans"));
  if (names.empty()) return refused("csr.sans");
  return read_names(names, out);
}
}  // namespace

Result<CertificateRequest> parse_certificate_request(Bytes request_der) {
  if (request_der.size() > kMaxRequest) return refused("csr.size");
  DerReader file = reader(request_der);
  TRY_LET(Bytes request, file.take(der::kSequence, "csr.request"));
  TRY(file.finish("csr.trailing"));
  DerReader parts = reader(request);
  Bytes to_be_signed;
  TRY_LET(Bytes info, parts.take(der::kSequence, "csr.info", &to_be_signed));
  TRY_LET(Bytes algorithm, parts.take(der::kSequence, "csr.algorithm"));
  TRY_LET(Bytes signature, parts.take_bits("csr.signature"));
  TRY(parts.finish("csr.more"));

  CertificateRequest out;
  DerReader fields = reader(info);
  TRY_LET(Bytes version, fields.take(der::kInteger, "csr.version"));
  if (version.size() != 1 || version[0] != 0) return refused("csr.version");
  TRY_LET(Bytes subject, fields.take(der::kSequence, "csr.subject"));
  TRY(read_subject(subject, &out));
  Bytes spki;
  TRY_LET(Bytes spki_content, fields.take(der::kSequence, "csr.key", &spki));
  (void)spki_content;  // compared as a whole
  if (spki.size() != kP256Spki.size() + out.key.size() || !equal(spki.first(kP256Spki.size()), kP256Spki)) {
    return refused("csr.key_kind");
  }
  std::memcpy(out.key.data(), spki.skip(kP256Spki.size()).data(), out.key.size());
  if (out.key[0] != 4) return refused("csr.key_form");
  TRY_LET(Bytes attributes, fields.take(kAttributes, "csr.attributes"));
  TRY(fields.finish("csr.info_more"));
  TRY(read_attributes(attributes, &out));

  DerReader kind = reader(algorithm);
  TRY_LET(Bytes oid, kind.take(der::kOid, "csr.algorithm"));
  if (!equal(oid, kEcdsaSha256Oid)) return refused("csr.algorithm");
  TRY(kind.finish("csr.algorithm"));
  DerReader bits = reader(signature);
  TRY_LET(Bytes pair, bits.take(der::kSequence, "csr.signature"));
  TRY(bits.finish("csr.signature"));
  DerReader scalars = reader(pair);
  TRY_LET(Bytes r, scalars.take_unsigned(kScalar, "csr.signature"));
  TRY_LET(Bytes s, scalars.take_unsigned(kScalar, "csr.signature"));
  TRY(scalars.finish("csr.signature"));
  TRY_LET(Digest32 digest, sha256({to_be_signed}));
  if (!verify_p256(out.key, digest, r, s).ok()) return refused("csr.signature_wrong");
  return out;
}

namespace {
constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE REQUEST-----\n";
constexpr std::string_view kEnd = "-----END CERTIFICATE REQUEST-----";
}  // namespace

Result<CertificateRequest> parse_certificate_request_pem(std::string_view pem) {
  if (pem.size() > 2 * kMaxRequest) return refused("csr.pem");
  while (!pem.empty() && (pem.back() == '\n' || pem.back() == '\r' || pem.back() == ' ')) pem.remove_suffix(1);
  if (pem.size() < kBegin.size() + kEnd.size() || pem.substr(0, kBegin.size()) != kBegin ||
      pem.substr(pem.size() - kEnd.size()) != kEnd) {
    return refused("csr.pem");
  }
  std::string digits;
  for (char c : pem.substr(kBegin.size(), pem.size() - kBegin.size() - kEnd.size())) {
    if (c != '\n' && c != '\r') digits += c;
  }
  auto der = from_base64(digits, kMaxRequest);
  if (!der.ok()) return refused("csr.base64");
  return parse_certificate_request(*der);
}

std::string certificate_request_pem(Bytes der) {
  std::string out(kBegin), digits = to_base64(der);
  for (size_t at = 0; at < digits.size(); at += 64) out += digits.substr(at, 64) + "\n";
  return out + std::string(kEnd) + "\n";
}

namespace {
Status check_subject(const CertificateRequest& request, std::string_view name) {
  if (request.organization != "system:nodes") return refused("csr.organization");
  if (request.common_name != "system:node:" + std::string(name)) return refused("csr.common_name");
  return success();
}
}  // namespace

Status check_client_request(const CertificateRequest& request, std::string_view name) {
  TRY(check_subject(request, name));
  if (!request.dns.empty() || !request.addresses.empty()) return refused("csr.has_sans");
  return success();
}

Status check_serving_request(const CertificateRequest& request, std::string_view name, std::string_view address) {
  TRY(check_subject(request, name));
  auto own = parse_node_address(address);
  if (!own.ok()) return refused("csr.no_address");
  if (request.dns.size() != 1 || request.dns[0] != name) return refused("csr.dns_names");
  if (request.addresses.size() != 1 || !(request.addresses[0] == *own)) return refused("csr.addresses");
  return success();
}

}  // namespace cstl
