#include "attest/evidence.h"

#include "crypto/x509.h"

namespace cstl {

namespace {
// The variants for which a rule holds.
template <typename... V>
constexpr VariantSet of(V... variants) {
  return (variant_bit(variants) | ...);
}
constexpr VariantSet kAll = (1u << 13) - 1;
constexpr VariantSet kSnp =
    of(Variant::sev_snp, Variant::aws_sev_snp, Variant::azure_sev_snp, Variant::gcp_sev_snp);
constexpr VariantSet kTd = of(Variant::tdx, Variant::qemu_tdx);  // with RTMRs of their own
constexpr VariantSet kTdx = kTd | of(Variant::azure_tdx);
constexpr VariantSet kTpm = kAll & ~kTd & ~of(Variant::sev_snp);
// Whose AK the platform certifies, and whose platform ties it to a report or to a document.
constexpr VariantSet kCertified = of(Variant::azure_trustedlaunch, Variant::gcp_sev_es, Variant::gcp_sev_snp);
constexpr VariantSet kTied = of(Variant::azure_sev_snp, Variant::azure_tdx);
constexpr VariantSet kDocument = of(Variant::aws_nitro_tpm, Variant::aws_sev_snp);

constexpr bool agrees(bool (*rule)(Variant), VariantSet set) {
  for (uint8_t v = 1; v <= 13; ++v) {
    Variant variant = static_cast<Variant>(v);
    if (rule(variant) != ((set & variant_bit(variant)) != 0)) return false;
  }
  return true;
}
static_assert(agrees(has_tpm, kTpm) && agrees(has_snp, kSnp) && agrees(has_tdx, kTdx));

struct Item {
  EvidenceTag tag;
  size_t max;
  VariantSet must, may;
  Bytes Evidence::*field;
  bool in(VariantSet set, Variant variant) const { return (set & variant_bit(variant)) != 0; }
  bool mandatory(Variant v) const { return in(must, v); }
  bool known(Variant v) const { return in(must | may, v); }
};

// In tag order: the order on the wire. The variant comes before them.
constexpr Item kItems[] = {
    {EvidenceTag::quote, kMaxQuote, kTpm, 0, &Evidence::quote},
    {EvidenceTag::signature, kMaxTpmSignature, kTpm, 0, &Evidence::signature},
    {EvidenceTag::ak_public, kMaxTpmPublic, kTpm, 0, &Evidence::ak_public},
    {EvidenceTag::ek_certificate, kMaxCertificate, 0, kTpm, &Evidence::ek_certificate},
    {EvidenceTag::ek_chain, kMaxCertificateChain, 0, kTpm, &Evidence::ek_chain},
    {EvidenceTag::pcr_values, kPcrValues, kTpm, 0, &Evidence::pcr_values},
    {EvidenceTag::event_log, kMaxEventLog, 0, kTpm, &Evidence::event_log},
    {EvidenceTag::merkle, 8 + kMaxMerklePath, kAll, 0, &Evidence::merkle},
    {EvidenceTag::ak_certificate, kMaxCertificateChain, 0, kCertified, &Evidence::ak_certificate},
    {EvidenceTag::tee_report, kMaxTeeReport, kSnp | kTdx, 0, &Evidence::tee_report},
    {EvidenceTag::tee_certificates, kMaxCertificateChain, 0, kSnp, &Evidence::tee_certificates},
    {EvidenceTag::tee_collateral, kMaxTeeCollateral, 0, kSnp | kTdx, &Evidence::tee_collateral},
    {EvidenceTag::runtime_data, kMaxRuntimeData, kTied, kDocument, &Evidence::runtime_data},
    {EvidenceTag::ccel, kMaxCcel, 0, kTd, &Evidence::ccel},
    {EvidenceTag::registers, kRegisters, of(Variant::sev_snp), 0, &Evidence::registers},
};
}  // namespace

Result<Evidence> Evidence::decode(Bytes input) {
  if (input.size() > kMaxEvidence) return fail(Code::too_long, "evidence.size");
  Reader r(input);
  Evidence evidence;
  TRY_LET(uint16_t first, r.u16());
  if (first != static_cast<uint16_t>(EvidenceTag::variant)) return fail(Code::evidence_malformed, "evidence.variant");
  TRY_LET(Bytes variant, r.bytes32(1));
  if (variant.size() != 1) return fail(Code::evidence_malformed, "evidence.variant");
  TRY_LET(evidence.variant, variant_from_number(variant[0]));

  size_t next = 0;
  while (r.remaining() > 0) {
    TRY_LET(uint16_t tag, r.u16());
    while (next < std::size(kItems) && static_cast<uint16_t>(kItems[next].tag) != tag) {
      if (kItems[next].mandatory(evidence.variant)) return fail(Code::evidence_malformed, "evidence.tag");
      ++next;
    }
    if (next == std::size(kItems) || !kItems[next].known(evidence.variant)) {
      return fail(Code::evidence_malformed, "evidence.tag");
    }
    TRY_LET(Bytes value, r.bytes32(kItems[next].max));
    // An empty item is left out, so that every evidence has one encoding.
    if (value.empty()) return fail(Code::evidence_malformed, "evidence.empty");
    evidence.*kItems[next].field = value;
    ++next;
  }
  TRY(r.finish());
  for (; next < std::size(kItems); ++next) {
    if (kItems[next].mandatory(evidence.variant)) return fail(Code::evidence_malformed, "evidence.missing");
  }
  if (has_tpm(evidence.variant) && evidence.pcr_values.size() != kPcrValues) {
    return fail(Code::evidence_malformed, "evidence.pcr_values");
  }
  if (!evidence.registers.empty() && evidence.registers.size() != kRegisters) {
    return fail(Code::evidence_malformed, "evidence.registers");
  }
  if (evidence.ek_certificate.empty() && !evidence.ek_chain.empty()) {
    return fail(Code::evidence_malformed, "evidence.ek_chain");
  }
  return evidence;
}

size_t Evidence::encoded_size() const {
  size_t size = 7;
  for (const Item& item : kItems) size += (this->*item.field).empty() ? 0 : 6 + (this->*item.field).size();
  return size;
}

Result<Bytes> Evidence::encode(MutBytes out) const {
  Writer w(out);
  w.u16(static_cast<uint16_t>(EvidenceTag::variant));
  w.u32(1);
  w.u8(static_cast<uint8_t>(variant));
  for (const Item& item : kItems) {
    Bytes value = this->*item.field;
    if (value.size() > item.max) return fail(Code::too_long, "evidence.item");
    if (value.empty()) continue;
    w.u16(static_cast<uint16_t>(item.tag));
    w.bytes32(value);
  }
  TRY_LET(Bytes done, w.finish());
  if (done.size() > kMaxEvidence) return fail(Code::too_long, "evidence.size");
  return done;
}

}  // namespace cstl
