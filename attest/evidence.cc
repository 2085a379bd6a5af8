#include "attest/evidence.h"

#include "crypto/x509.h"

namespace cstl {

namespace {
struct Item {
  EvidenceTag tag;
  size_t max;
  bool mandatory;
  Bytes Evidence::*field;
};

// In tag order: the order on the wire. The variant comes before them.
constexpr Item kItems[] = {
    {EvidenceTag::quote, kMaxQuote, true, &Evidence::quote},
    {EvidenceTag::signature, kMaxTpmSignature, true, &Evidence::signature},
    {EvidenceTag::ak_public, kMaxTpmPublic, true, &Evidence::ak_public},
    {EvidenceTag::ek_certificate, kMaxCertificate, false, &Evidence::ek_certificate},
    {EvidenceTag::ek_chain, kMaxCertificateChain, false, &Evidence::ek_chain},
    {EvidenceTag::pcr_values, kPcrValues, true, &Evidence::pcr_values},
    {EvidenceTag::event_log, kMaxEventLog, false, &Evidence::event_log},
    {EvidenceTag::merkle, 8 + kMaxMerklePath, true, &Evidence::merkle},
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
      if (kItems[next].mandatory) return fail(Code::evidence_malformed, "evidence.tag");
      ++next;
    }
    if (next == std::size(kItems)) return fail(Code::evidence_malformed, "evidence.tag");
    TRY_LET(Bytes value, r.bytes32(kItems[next].max));
    // An empty item is left out, so that every evidence has one encoding.
    if (value.empty()) return fail(Code::evidence_malformed, "evidence.empty");
    evidence.*kItems[next].field = value;
    ++next;
  }
  TRY(r.finish());
  for (; next < std::size(kItems); ++next) {
    if (kItems[next].mandatory) return fail(Code::evidence_malformed, "evidence.missing");
  }
  if (evidence.pcr_values.size() != kPcrValues) return fail(Code::evidence_malformed, "evidence.pcr_values");
  if (evidence.ek_certificate.empty() && !evidence.ek_chain.empty()) {
    return fail(Code::evidence_malformed, "evidence.ek_chain");
  }
  return evidence;
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
