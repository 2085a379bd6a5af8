#include "attest/tdx/pck.h"

#include "crypto/base/base64.h"
#include "crypto/der.h"
#include "crypto/x509.h"

namespace cstl::tdx {

namespace {
constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----\n";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";
constexpr size_t kPemLine = 64;
constexpr uint8_t kPpid = 1, kTcb = 2, kPceId = 3, kFmspc = 4;  // last arc of the members
constexpr uint8_t kTcbPceSvn = 17, kTcbCpuSvn = 18;             // and of the TCB's
constexpr uint32_t kAllMembers = 1u << kPpid | 1u << kTcb | 1u << kPceId | 1u << kFmspc;
constexpr uint32_t kAllTcb = (1u << (kTcbCpuSvn + 1)) - 2;      // 1 to 18

// One certificate off the front of `text`: every line but the last is full, and none is empty.
Result<std::vector<uint8_t>> one_certificate(std::string_view& text, Code code) {
  if (text.substr(0, kBegin.size()) != kBegin) return fail(code, "pem.begin");
  text.remove_prefix(kBegin.size());
  size_t end = text.find(kEnd);
  if (end == std::string_view::npos || end == 0 || text[end - 1] != '\n') return fail(code, "pem.end");
  std::string_view body = text.substr(0, end);
  text.remove_prefix(end + kEnd.size());
  std::string joined;
  while (!body.empty()) {
    size_t line = body.find('\n');
    bool last = line == body.size() - 1;
    if (line == 0 || line > kPemLine || (!last && line != kPemLine)) return fail(code, "pem.line");
    joined.append(body.substr(0, line));
    body.remove_prefix(line + 1);
  }
  auto der = from_base64(joined, kMaxCertificate);
  if (!der) return fail(code, "pem.base64");
  return der;
}

// The last arc of `oid` under `parent`; 0: another one.
uint8_t arc_under(Bytes oid, Bytes parent) {
  if (oid.size() != parent.size() + 1 || !equal(oid.first(parent.size()), parent)) return 0;
  uint8_t arc = oid[parent.size()];
  return arc < 0x80 ? arc : 0;
}

// Bit `arc` of `seen`, once.
Status mark(uint32_t& seen, uint8_t arc) {
  if ((seen >> arc & 1) != 0) return fail(Code::tdx_pck_extensions, "pck.twice");
  seen |= 1u << arc;
  return success();
}

template <size_t N>
Status octets(DerReader& r, std::array<uint8_t, N>* out) {
  TRY_LET(Bytes value, r.take(der::kOctetString, "pck.octets"));
  if (value.size() != N) return fail(Code::tdx_pck_extensions, "pck.size");
  std::memcpy(out->data(), value.data(), N);
  return success();
}

Status decode_tcb(DerReader r, PckExtensions* out) {
  std::array<uint8_t, kSgxExtension.size() + 1> oid_tcb{};
  std::memcpy(oid_tcb.data(), kSgxExtension.data(), kSgxExtension.size());
  oid_tcb.back() = kTcb;
  uint32_t seen = 0;
  while (!r.empty()) {
    TRY_LET(DerReader one, r.enter(der::kSequence, "pck.tcb"));
    TRY_LET(Bytes oid, one.take(der::kOid, "pck.tcb_oid"));
    uint8_t arc = arc_under(oid, oid_tcb);
    if (arc == 0 || arc > kTcbCpuSvn) return fail(Code::tdx_pck_extensions, "pck.tcb_oid");
    TRY(mark(seen, arc));
    if (arc == kTcbCpuSvn) {
      TRY(octets(one, &out->cpu_svn));
    } else {
      TRY_LET(uint32_t value, one.take_u32("pck.tcb_value"));
      if (value > (arc == kTcbPceSvn ? 0xffffu : 0xffu)) return fail(Code::tdx_pck_extensions, "pck.tcb_value");
      if (arc == kTcbPceSvn) out->pce_svn = static_cast<uint16_t>(value);
      else out->tcb[arc - 1u] = static_cast<uint8_t>(value);
    }
    TRY(one.finish("pck.tcb"));
  }
  if (seen != kAllTcb) return fail(Code::tdx_pck_extensions, "pck.tcb_incomplete");
  return success();
}
}  // namespace

Result<std::vector<std::vector<uint8_t>>> certificates_of_pem(Bytes pem, size_t max, Code code) {
  std::string_view text = pem.text();
  if (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  std::vector<std::vector<uint8_t>> out;
  while (!text.empty()) {
    if (out.size() >= max) return fail(code, "pem.count");
    TRY_LET(std::vector<uint8_t> one, one_certificate(text, code));
    out.push_back(std::move(one));
  }
  return out;
}

std::string_view common_name(Bytes name) {
  constexpr std::array<uint8_t, 3> kCommonName{0x55, 0x04, 0x03};
  DerReader outer(name, Code::bad_certificate);
  auto sets = outer.enter(der::kSequence, "pck.name");
  if (!sets) return {};
  std::string_view found;
  while (!sets->empty()) {
    auto set = sets->enter(der::kSet, "pck.name");
    if (!set) return {};
    while (!set->empty()) {
      auto pair = set->enter(der::kSequence, "pck.name");
      if (!pair) return {};
      auto oid = pair->take(der::kOid, "pck.name");
      auto value = pair->take_any("pck.name");
      if (!oid || !value) return {};
      if (!equal(*oid, kCommonName)) continue;
      if (!found.empty()) return {};
      found = value->text();
    }
  }
  return found;
}

Result<PckChain> PckChain::decode(Bytes pem) {
  constexpr size_t kCertificates = 3;
  if (pem.size() > kMaxPckChain) return fail(Code::tdx_pck_chain, "pck.chain_size");
  TRY_LET(auto list, certificates_of_pem(pem, kCertificates, Code::tdx_pck_chain));
  if (list.size() != kCertificates) return fail(Code::tdx_pck_chain, "pck.chain_length");
  return PckChain{std::move(list[0]), std::move(list[1]), std::move(list[2])};
}

Result<PckExtensions> PckExtensions::decode(Bytes extension) {
  DerReader whole(extension, Code::tdx_pck_extensions);
  TRY_LET(DerReader r, whole.enter(der::kSequence, "pck.extension"));
  TRY(whole.finish("pck.extension"));
  PckExtensions out;
  uint32_t seen = 0;
  while (!r.empty()) {
    TRY_LET(DerReader one, r.enter(der::kSequence, "pck.member"));
    TRY_LET(Bytes oid, one.take(der::kOid, "pck.oid"));
    uint8_t arc = arc_under(oid, kSgxExtension);
    if (arc >= kPpid && arc <= kFmspc) TRY(mark(seen, arc));
    switch (arc) {
      case kPpid: TRY(octets(one, &out.ppid)); break;
      case kTcb: {
        TRY_LET(DerReader tcb, one.enter(der::kSequence, "pck.tcb"));
        TRY(decode_tcb(tcb, &out));
        break;
      }
      case kPceId: TRY(octets(one, &out.pce_id)); break;
      case kFmspc: TRY(octets(one, &out.fmspc)); break;
      default: TRY(one.take_any("pck.value")); break;
    }
    TRY(one.finish("pck.member"));
  }
  if (seen != kAllMembers) return fail(Code::tdx_pck_extensions, "pck.incomplete");
  return out;
}

}  // namespace cstl::tdx
