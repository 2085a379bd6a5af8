#include "attest/snp/certificates.h"

#include <algorithm>

#include "crypto/x509.h"

namespace cstl::snp {

namespace {
constexpr uint8_t kIa5String = 0x16;
constexpr uint8_t kCommonName[] = {0x55, 0x04, 0x03};
constexpr size_t kMaxCspId = 64;
constexpr size_t kMaxProductName = 32;

// 1.3.6.1.4.1.3704.1.<major>[.<minor>]
struct AmdOid {
  uint8_t bytes[11];
  size_t size;
  operator Bytes() const { return Bytes(bytes, size); }  // NOLINT: implicit on purpose
};
constexpr AmdOid amd_oid(uint8_t major, uint8_t minor = 0) {
  return {{0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, major, minor, 0}, minor == 0 ? size_t{9} : size_t{10}};
}
constexpr AmdOid kStructVersion = amd_oid(1), kProductName = amd_oid(2), kHwid = amd_oid(4), kCspId = amd_oid(5);
constexpr AmdOid kBootloader = amd_oid(3, 1), kTee = amd_oid(3, 2), kSnp = amd_oid(3, 3), kMicrocode = amd_oid(3, 8);
constexpr AmdOid kReserved[] = {amd_oid(3, 4), amd_oid(3, 5), amd_oid(3, 6), amd_oid(3, 7)};
constexpr AmdOid kFmc = amd_oid(3, 9);

Error malformed(const char* site) { return fail(Code::snp_certificate_malformed, site); }

bool has(const CertificateView& view, Bytes oid) { return view.extension(oid).ok(); }

Result<Bytes> value_of(const CertificateView& view, Bytes oid, const char* site) {
  Result<Bytes> value = view.extension(oid);
  if (!value.ok()) return malformed(site);
  return *value;
}

Result<uint8_t> level(const CertificateView& view, Bytes oid, uint8_t most, const char* site) {
  TRY_LET(Bytes value, value_of(view, oid, site));
  DerReader reader(value, Code::snp_certificate_malformed);
  TRY_LET(uint32_t number, reader.take_u32(site));
  TRY(reader.finish(site));
  if (number > most) return malformed(site);
  return static_cast<uint8_t>(number);
}

Result<Bytes> ia5(const CertificateView& view, Bytes oid, size_t max, const char* site) {
  TRY_LET(Bytes value, value_of(view, oid, site));
  DerReader reader(value, Code::snp_certificate_malformed);
  TRY_LET(Bytes text, reader.take(kIa5String, site));
  TRY(reader.finish(site));
  bool printable = std::all_of(text.begin(), text.end(), [](uint8_t c) { return c >= 0x20 && c < 0x7f; });
  if (text.empty() || text.size() > max || !printable) return malformed(site);
  return text;
}

// AMD writes the bytes alone, without a tag; an OCTET STRING is what an extension's value ought to be.
Result<Bytes> hardware_id(const CertificateView& view, Product product) {
  const size_t size = product == Product::turin ? kTurinHwid : ChipId{}.size();
  TRY_LET(Bytes value, value_of(view, kHwid, "certificate.hwid"));
  if (value.size() == size) return value;
  DerReader reader(value, Code::snp_certificate_malformed);
  TRY_LET(Bytes id, reader.take(der::kOctetString, "certificate.hwid"));
  TRY(reader.finish("certificate.hwid"));
  if (id.size() != size) return malformed("certificate.hwid");
  return id;
}

Result<Product> issuing_product(Bytes issuer, Signer kind) {
  std::string_view name = common_name(issuer).text();
  std::string_view prefix = kind == Signer::vlek ? "SEV-VLEK-" : "SEV-";
  if (name.substr(0, prefix.size()) != prefix) return malformed("certificate.issuer");
  std::string_view line = name.substr(prefix.size());
  if (kind == Signer::vcek && line.substr(0, 5) == "VLEK-") return malformed("certificate.issuer");
  Product product = product_from(line);
  if (product == Product::unknown || line != product_name(product))
    return fail(Code::snp_product, "certificate.issuer");
  return product;
}
}  // namespace

Result<Leaf> Leaf::parse(Bytes der) {
  Leaf leaf;
  TRY_LET(leaf.view, CertificateView::parse(der));
  const CertificateView& view = leaf.view;
  const bool of_chip = has(view, kHwid), of_provider = has(view, kCspId);
  if (of_chip == of_provider) return malformed("certificate.kind");
  leaf.kind = of_chip ? Signer::vcek : Signer::vlek;
  if (common_name(view.subject).text() != (of_chip ? "SEV-VCEK" : "SEV-VLEK")) return malformed("certificate.subject");
  TRY_LET(leaf.product, issuing_product(view.issuer, leaf.kind));
  TRY(level(view, kStructVersion, 255, "certificate.version"));
  TRY_LET(leaf.product_name, ia5(view, kProductName, kMaxProductName, "certificate.product"));
  TRY_LET(leaf.tcb.bootloader, level(view, kBootloader, 127, "certificate.bootloader"));
  TRY_LET(leaf.tcb.tee, level(view, kTee, 127, "certificate.tee"));
  TRY_LET(leaf.tcb.snp, level(view, kSnp, 127, "certificate.snp"));
  TRY_LET(leaf.tcb.microcode, level(view, kMicrocode, 255, "certificate.microcode"));
  if (leaf.product == Product::turin) {
    TRY_LET(leaf.tcb.fmc, level(view, kFmc, 127, "certificate.fmc"));
  } else if (has(view, kFmc)) {
    return malformed("certificate.fmc");
  }
  leaf.tcb_raw = leaf.tcb.raw(leaf.product);
  for (unsigned i = 0; i < 4; ++i) {
    TRY_LET(uint8_t reserved,
            level(view, kReserved[i], leaf.product == Product::turin ? 0 : 127, "certificate.reserved"));
    leaf.tcb_raw |= uint64_t{reserved} << 8 * (2 + i);
  }
  if (of_chip) {
    TRY_LET(leaf.hwid, hardware_id(view, leaf.product));
  } else {
    TRY_LET(leaf.csp_id, ia5(view, kCspId, kMaxCspId, "certificate.csp"));
  }
  return leaf;
}

Result<std::vector<Bytes>> certificate_list(Bytes list) {
  Reader reader(list);
  std::vector<Bytes> out;
  while (reader.remaining() > 0) {
    Result<Bytes> der = reader.bytes16(kMaxCertificate);
    if (!der.ok() || der->empty() || out.size() == kMaxCertificates)
      return fail(Code::bad_certificate, "certificate.list");
    out.push_back(*der);
  }
  return out;
}

Bytes common_name(Bytes name) {
  DerReader outer(name, Code::bad_certificate);
  Result<DerReader> sets = outer.enter(der::kSequence, "name");
  Bytes found;
  while (sets.ok() && !sets->empty()) {
    Result<DerReader> set = sets->enter(der::kSet, "name.set");
    while (set.ok() && !set->empty()) {
      Result<DerReader> pair = set->enter(der::kSequence, "name.pair");
      if (!pair.ok()) return {};
      Result<Bytes> type = pair->take(der::kOid, "name.type");
      Result<Bytes> value = type.ok() ? pair->take_any("name.value") : Result<Bytes>(type.error());
      if (!value.ok()) return {};
      if (!equal(*type, Bytes(kCommonName, sizeof(kCommonName)))) continue;
      if (!found.empty() || value->empty()) return {};
      found = *value;
    }
    if (!set.ok()) return {};
  }
  return found;
}

const ProductRoots& amd_roots() {
  static const ProductRoots roots{{{nullptr, 0}, kAmdMilanRoots, kAmdGenoaRoots, kAmdTurinRoots}};
  return roots;
}

}  // namespace cstl::snp
