#include "attest/snp/collateral.h"

#include <algorithm>

namespace cstl::snp {

namespace {
constexpr uint8_t kVcekCrl = 1, kVlekCrl = 2;
constexpr size_t kTableEntry = 24;
using Guid = std::array<uint8_t, 16>;

// GUIDs as their text has them; AMD's table has the same order of bytes.
constexpr Guid kVcek{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
constexpr Guid kVlek{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1};
constexpr Guid kAsk{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82};
constexpr Guid kArk{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae};
}  // namespace

Result<Collateral> Collateral::decode(Bytes stapled) {
  constexpr Code kCode = Code::snp_collateral_malformed;
  if (stapled.size() > kMaxCollateral) return fail(kCode, "collateral.size");
  Reader reader(stapled);
  Collateral out;
  uint8_t last = 0;
  while (reader.remaining() > 0) {
    Result<uint8_t> kind = reader.u8();
    Result<Bytes> entry = reader.bytes32(kMaxCollateralCrl);
    if (!kind.ok() || !entry.ok() || entry->empty()) return fail(kCode, "collateral.entry");
    if (*kind <= last) return fail(kCode, "collateral.order");
    last = *kind;
    if (*kind == kVcekCrl) out.vcek_crl = *entry;
    else if (*kind == kVlekCrl) out.vlek_crl = *entry;
    else return fail(kCode, "collateral.kind");
  }
  return out;
}

Result<Bytes> Collateral::encode(MutBytes out) const {
  if (std::max(vcek_crl.size(), vlek_crl.size()) > kMaxCollateralCrl) return fail(Code::too_long, "collateral.crl");
  Writer writer(out);
  auto entry = [&](uint8_t kind, Bytes bytes) {
    if (bytes.empty()) return;
    writer.u8(kind);
    writer.bytes32(bytes);
  };
  entry(kVcekCrl, vcek_crl);
  entry(kVlekCrl, vlek_crl);
  return writer.finish();
}

std::vector<Bytes> Collateral::crls() const {
  std::vector<Bytes> out;
  for (Bytes crl : {vcek_crl, vlek_crl}) {
    if (!crl.empty()) out.push_back(crl);
  }
  return out;
}

Result<CertificateTable> CertificateTable::decode(Bytes table) {
  constexpr Code kCode = Code::snp_collateral_malformed;
  if (table.size() > kMaxTable) return fail(kCode, "table.size");
  Reader reader(table);
  CertificateTable out;
  while (true) {
    if (reader.remaining() < kTableEntry) return fail(kCode, "table.end");
    TRY_LET(Guid guid, reader.fixed<16>());
    TRY_LET(uint32_t offset, reader.u32le());
    TRY_LET(uint32_t length, reader.u32le());
    if (guid == Guid{}) return out;
    if (offset > table.size() || length > table.size() - offset) return fail(kCode, "table.entry");
    Bytes* place = guid == kVcek ? &out.vcek : guid == kVlek ? &out.vlek : guid == kAsk ? &out.ask
                 : guid == kArk ? &out.ark : nullptr;
    if (place == nullptr) continue;
    if (!place->empty()) return fail(kCode, "table.twice");
    *place = table.skip(offset).first(length);
  }
}

Result<Bytes> CertificateTable::evidence_items(Signer signer, MutBytes out) const {
  Bytes leaf = signer == Signer::vlek ? vlek : vcek;
  if (leaf.empty()) return fail(Code::snp_certificate_missing, "table.leaf");
  Writer writer(out);
  for (Bytes der : {leaf, ask, ark}) {
    if (!der.empty()) writer.bytes16(der);
  }
  return writer.finish();
}

}  // namespace cstl::snp
