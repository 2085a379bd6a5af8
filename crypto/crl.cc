#include "crypto/crl.h"

#include "crypto/pem.h"
#include "crypto/public_key.h"

namespace cstl {

namespace {
constexpr size_t kMaxSerial = 21;
constexpr std::array<uint8_t, 3> kKeyUsage{0x55, 0x1d, 0x0f};
constexpr std::array<uint8_t, 3> kDeltaIndicator{0x55, 0x1d, 0x1b};
constexpr std::array<uint8_t, 3> kDistributionPoint{0x55, 0x1d, 0x1c};
constexpr std::array<uint8_t, 3> kCertificateIssuer{0x55, 0x1d, 0x1d};
constexpr uint8_t kCrlSign = 0x02;  // bit 6 of KeyUsage, counted from the top

Error malformed(const char* site) { return fail(Code::crl_malformed, site); }

// A number is the same whether or not its writer remembered the sign byte.
Bytes without_zeros(Bytes serial) {
  while (serial.size() > 1 && serial[0] == 0) serial = serial.skip(1);
  return serial;
}

// What narrows, widens or moves a list's meaning is refused, critical or not.
Status check_extensions(Bytes content) {
  DerReader list(content, Code::crl_malformed);
  while (!list.empty()) {
    TRY_LET(Extension one, take_extension(&list));
    if (one.critical) return malformed("crl.critical_extension");
    for (Bytes scope : {Bytes(kDeltaIndicator), Bytes(kDistributionPoint), Bytes(kCertificateIssuer)}) {
      if (equal(one.oid, scope)) return malformed("crl.scope");
    }
  }
  return success();
}

Status check_entries(Bytes entries) {
  DerReader list(entries, Code::crl_malformed);
  while (!list.empty()) {
    TRY_LET(DerReader entry, list.enter(der::kSequence, "crl.entry"));
    TRY_LET(Bytes serial, entry.take(der::kInteger, "crl.serial"));
    if (serial.empty() || serial.size() > kMaxSerial) return malformed("crl.serial");
    TRY(entry.take_time("crl.revocation_date"));
    if (entry.next_is(der::kSequence)) {
      TRY_LET(Bytes extensions, entry.take(der::kSequence, "crl.entry_extensions"));
      TRY(check_extensions(extensions));
    }
    TRY(entry.finish("crl.entry_more"));
  }
  return success();
}
}  // namespace

Result<Crl> Crl::parse(Bytes der) {
  if (der.size() > kMaxCrl) return malformed("crl.size");
  Crl out;
  DerReader file(der, Code::crl_malformed);
  TRY_LET(DerReader list, file.enter(der::kSequence, "crl.frame"));
  TRY(file.finish("crl.trailing"));
  TRY_LET(DerReader fields, list.enter(der::kSequence, "crl.tbs", &out.to_be_signed_));
  TRY_LET(out.algorithm_, list.take(der::kSequence, "crl.algorithm"));
  TRY_LET(out.signature_, list.take_bits("crl.signature"));
  TRY(list.finish("crl.more"));

  bool v2 = fields.next_is(der::kInteger);
  if (v2) {
    TRY_LET(uint32_t version, fields.take_u32("crl.version"));
    if (version != 1) return malformed("crl.version");
  }
  TRY_LET(Bytes inner, fields.take(der::kSequence, "crl.inner_algorithm"));
  if (!equal(inner, out.algorithm_)) return malformed("crl.algorithms_differ");
  TRY(fields.take(der::kSequence, "crl.issuer", &out.issuer_));
  TRY_LET(out.this_update_, fields.take_time("crl.this_update"));
  TRY_LET(out.next_update_, fields.take_time("crl.next_update"));
  if (fields.next_is(der::kSequence)) {
    TRY_LET(out.entries_, fields.take(der::kSequence, "crl.entries"));
    TRY(check_entries(out.entries_));
  }
  if (v2 && fields.next_is(der::constructed_context(0))) {
    TRY_LET(DerReader wrapped, fields.enter(der::constructed_context(0), "crl.extensions"));
    TRY_LET(Bytes extensions, wrapped.take(der::kSequence, "crl.extensions"));
    TRY(wrapped.finish("crl.extensions"));
    TRY(check_extensions(extensions));
  }
  TRY(fields.finish("crl.tbs_more"));
  return out;
}

Status Crl::verify_signature(Bytes issuer) const {
  TRY_LET(CertificateView by, CertificateView::parse(issuer));
  if (!equal(by.subject, issuer_)) return fail(Code::crl_signature, "crl.issuer_name");
  if (Result<Bytes> usage = by.extension(kKeyUsage); usage.ok()) {
    DerReader reader(*usage, Code::bad_certificate);
    TRY_LET(Bytes bits, reader.take(der::kBitString, "crl.key_usage"));
    if (bits.size() < 2 || (bits[1] & kCrlSign) == 0) return fail(Code::crl_signature, "crl.key_usage");
  }
  TRY_LET(SignatureAlgorithm algorithm, parse_signature_algorithm(algorithm_, Code::crl_malformed));
  TRY_LET(PublicKey key, parse_public_key(by.spki));
  if (!cstl::verify_signature(key, algorithm, to_be_signed_, signature_).ok()) {
    return fail(Code::crl_signature, "crl.signature");
  }
  return success();
}

Status Crl::check_time(int64_t now) const {
  if (now == 0) return success();
  if (now < this_update_) return fail(Code::crl_not_yet_valid, "crl.this_update");
  if (now > next_update_) return fail(Code::crl_expired, "crl.next_update");
  return success();
}

Status Crl::verify(Bytes issuer, int64_t now) const {
  TRY(verify_signature(issuer));
  return check_time(now);
}

bool Crl::lists(Bytes serial) const {
  serial = without_zeros(serial);
  DerReader list(entries_, Code::crl_malformed);
  while (!list.empty()) {
    Result<DerReader> entry = list.enter(der::kSequence, "crl.entry");
    if (!entry.ok()) trap("crl.entry");  // parse() has read them all
    Result<Bytes> one = entry->take(der::kInteger, "crl.serial");
    if (one.ok() && equal(without_zeros(*one), serial)) return true;
  }
  return false;
}

Result<std::vector<uint8_t>> crl_from_file(Bytes contents) {
  if (contents.size() > 2 * kMaxCrl) return malformed("crl.size");
  if (!contents.empty() && contents[0] == der::kSequence) {
    TRY(Crl::parse(contents));
    return contents.copy();
  }
  Result<std::vector<uint8_t>> out = pem_block(contents, "X509 CRL");
  if (!out.ok()) return malformed("crl.pem");
  TRY(Crl::parse(*out));
  return out;
}

}  // namespace cstl
