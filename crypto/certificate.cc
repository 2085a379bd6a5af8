#include "crypto/certificate.h"

namespace cstl {

namespace {
constexpr size_t kMaxSerial = 21;  // 20 by RFC 5280, 4.1.2.2; some writers forget the sign byte
constexpr size_t kMaxExtensions = 48;

Error refused(const char* site) { return fail(Code::bad_certificate, site); }

Status check_extensions(Bytes extensions) {
  std::array<Bytes, kMaxExtensions> seen;
  size_t count = 0;
  DerReader list(extensions, Code::bad_certificate);
  while (!list.empty()) {
    TRY_LET(Extension one, take_extension(&list));
    for (size_t i = 0; i < count; ++i) {
      if (equal(seen[i], one.oid)) return refused("certificate.extension_twice");
    }
    if (count == seen.size()) return refused("certificate.extensions");
    seen[count++] = one.oid;
  }
  return success();
}
}  // namespace

Result<Extension> take_extension(DerReader* list) {
  Extension out;
  TRY_LET(DerReader one, list->enter(der::kSequence, "extension.frame"));
  TRY_LET(out.oid, one.take(der::kOid, "extension.oid"));
  if (one.next_is(der::kBoolean)) {
    TRY_LET(out.critical, one.take_boolean("extension.critical"));
  }
  TRY_LET(out.value, one.take(der::kOctetString, "extension.value"));
  TRY(one.finish("extension.more"));
  return out;
}

Result<CertificateView> CertificateView::parse(Bytes der) {
  CertificateView out;
  DerReader file(der, Code::bad_certificate);
  TRY_LET(DerReader certificate, file.enter(der::kSequence, "certificate.frame"));
  TRY(file.finish("certificate.trailing"));
  TRY_LET(DerReader fields, certificate.enter(der::kSequence, "certificate.tbs", &out.to_be_signed));
  TRY_LET(out.algorithm, certificate.take(der::kSequence, "certificate.algorithm"));
  TRY_LET(out.signature, certificate.take_bits("certificate.signature"));
  TRY(certificate.finish("certificate.more"));

  uint32_t version = 0;
  if (fields.next_is(der::constructed_context(0))) {
    TRY_LET(DerReader wrapped, fields.enter(der::constructed_context(0), "certificate.version"));
    TRY_LET(version, wrapped.take_u32("certificate.version"));
    TRY(wrapped.finish("certificate.version"));
    if (version > 2) return refused("certificate.version");
  }
  TRY_LET(out.serial, fields.take(der::kInteger, "certificate.serial"));
  if (out.serial.empty() || out.serial.size() > kMaxSerial) return refused("certificate.serial");
  TRY_LET(Bytes inner, fields.take(der::kSequence, "certificate.inner_algorithm"));
  if (!equal(inner, out.algorithm)) return refused("certificate.algorithms_differ");
  TRY(fields.take(der::kSequence, "certificate.issuer", &out.issuer));
  TRY_LET(DerReader validity, fields.enter(der::kSequence, "certificate.validity"));
  TRY_LET(out.not_before, validity.take_time("certificate.not_before"));
  TRY_LET(out.not_after, validity.take_time("certificate.not_after"));
  TRY(validity.finish("certificate.validity"));
  TRY(fields.take(der::kSequence, "certificate.subject", &out.subject));
  TRY(fields.take(der::kSequence, "certificate.key", &out.spki));
  for (uint8_t id : {uint8_t{1}, uint8_t{2}}) {  // unique identifiers: nothing uses them
    if (fields.next_is(der::context(id))) TRY(fields.take(der::context(id), "certificate.unique_id"));
  }
  if (fields.next_is(der::constructed_context(3))) {
    if (version != 2) return refused("certificate.version");
    TRY_LET(DerReader wrapped, fields.enter(der::constructed_context(3), "certificate.extensions"));
    TRY_LET(out.extensions, wrapped.take(der::kSequence, "certificate.extensions"));
    TRY(wrapped.finish("certificate.extensions"));
    TRY(check_extensions(out.extensions));
  }
  TRY(fields.finish("certificate.tbs_more"));
  return out;
}

Result<Bytes> CertificateView::extension(Bytes oid, bool* critical) const {
  DerReader list(extensions, Code::bad_certificate);
  while (!list.empty()) {
    TRY_LET(Extension one, take_extension(&list));
    if (!equal(one.oid, oid)) continue;
    if (critical != nullptr) *critical = one.critical;
    return one.value;
  }
  return fail(Code::extension_missing, "certificate.extension");
}

}  // namespace cstl
