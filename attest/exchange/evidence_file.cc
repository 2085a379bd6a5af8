#include "attest/exchange/evidence_file.h"

#include "attest/snp/collateral.h"
#include "attest/tdx/quote.h"
#include "attest/tpm/eventlog.h"
#include "crypto/x509.h"

namespace cstl {

namespace {
constexpr std::string_view kMagic = "cstl-evidence-1\n";
constexpr size_t kGuestAnswer = 32;        // status, size, reserved (linux/sev-guest.h, snp_report_resp)
constexpr size_t kGuestBuffer = 4000;      // what that ioctl fills
constexpr std::string_view kSpecId = "Spec ID Event03";
constexpr size_t kSpecIdOffset = 32;       // behind TCG_PCClientPCREvent's header
constexpr uint32_t kMaxPcrLists = 3;       // TPML_DIGEST holds 8 at a time

bool begins(Bytes input, std::string_view text) { return equal(input.first(text.size()), Bytes(text)); }

bool all_zero(Bytes data) {
  for (uint8_t byte : data) {
    if (byte != 0) return false;
  }
  return true;
}

// A report at the beginning of `input`, and what follows it.
bool take_snp(Bytes input, EvidenceFile* out) {
  if (input.size() < snp::kReportSize || !snp::Report::decode(input.first(snp::kReportSize)).ok()) return false;
  Bytes rest = input.skip(snp::kReportSize);
  if (!all_zero(rest) && !snp::CertificateTable::decode(rest).ok()) return false;
  out->kind = FileKind::snp_report;
  out->content = input.first(snp::kReportSize);
  if (!all_zero(rest)) out->table = rest;
  return true;
}

bool take_tdx(Bytes input, EvidenceFile* out) {
  Result<size_t> size = tdx::quote_size(input);
  if (!size.ok() || *size > input.size()) return false;
  out->kind = FileKind::tdx_quote;
  out->content = input.first(*size);
  out->ignored = input.size() - *size;
  return true;
}

bool take_log(Bytes input, EvidenceFile* out) {
  out->kind = FileKind::event_log;
  out->content = input;
  const bool agile = begins(input.skip(kSpecIdOffset), kSpecId);
  Result<tpm::EventLog> log = tpm::EventLog::decode(input);
  if (agile && log.ok()) return true;
  if (agile) {
    // Of RTMRs, or a broken one: then whoever reads it says where.
    out->cc_log = tpm::EventLog::decode(input, tpm::kCcLog).ok();
    return true;
  }
  out->old_log = true;
  Result<tpm::EventLog> old = tpm::EventLog::decode(input, tpm::kOldLog);
  return old.ok() && !old->events.empty();
}
}  // namespace

const char* file_kind_name(FileKind kind) {
  switch (kind) {
    case FileKind::saved: return "saved evidence";
    case FileKind::evidence: return "evidence";
    case FileKind::snp_report: return "SEV-SNP report";
    case FileKind::tdx_quote: return "TDX quote";
    case FileKind::hcl_report: return "HCL report of Azure";
    case FileKind::tpm_attest: return "TPM attestation structure";
    case FileKind::event_log: return "event log";
    case FileKind::certificates: break;
  }
  return "certificates";
}

Result<SavedEvidence> SavedEvidence::decode(Bytes input) {
  if (!begins(input, kMagic)) return fail(Code::evidence_unknown, "saved.magic");
  Reader r(input.skip(kMagic.size()));
  SavedEvidence out;
  TRY_LET(uint64_t when, r.u64());
  if (when > INT64_MAX) return fail(Code::bad_value, "saved.time");
  out.saved_at = static_cast<int64_t>(when);
  TRY_LET(out.binding, r.fixed<32>());
  TRY_LET(out.evidence, r.bytes32(kMaxEvidence));
  TRY(r.finish());
  return out;
}

std::vector<uint8_t> SavedEvidence::encode() const {
  std::vector<uint8_t> out(kMagic.size() + 8 + binding.size() + 4 + evidence.size());
  Writer w(out);
  w.bytes(kMagic);
  w.u64(static_cast<uint64_t>(saved_at));
  w.bytes(binding);
  w.bytes32(evidence);
  if (!w.finish().ok()) trap("saved.encode");  // the buffer is of this size
  return out;
}

Result<EvidenceFile> EvidenceFile::detect(Bytes input) {
  if (input.size() > kMaxEvidenceFile) return fail(Code::too_long, "evidence_file.size");
  EvidenceFile out;
  out.content = input;
  if (begins(input, kMagic)) {
    out.kind = FileKind::saved;
    return out;
  }
  if (begins(input, "HCLA")) {
    out.kind = FileKind::hcl_report;
    return out;
  }
  if (begins(input, "\xff\x54\x43\x47")) {
    out.kind = FileKind::tpm_attest;
    return out;
  }
  if (take_snp(input, &out)) return out;
  // The kernel's answer: status 0 and the size of the report in front of it.
  if (input.size() > kGuestAnswer && input.size() <= kGuestAnswer + kGuestBuffer) {
    Reader r(input);
    Result<uint32_t> status = r.u32le();
    Result<uint32_t> size = r.u32le();
    if (status.ok() && *status == 0 && size.ok() && *size == snp::kReportSize && take_snp(input.skip(kGuestAnswer), &out)) {
      return out;
    }
  }
  if (take_tdx(input, &out)) return out;
  if (Evidence::decode(input).ok()) {
    out.kind = FileKind::evidence;
    return out;
  }
  if (!input.empty() && (input[0] == 0x30 || begins(input, "-----BEGIN ")) && certificates_from_file(input).ok()) {
    out.kind = FileKind::certificates;
    return out;
  }
  if (!all_zero(input) && take_log(input, &out)) return out;  // the old format has no mark of its own
  return fail(Code::evidence_unknown, "evidence_file.kind");
}

Status read_pcr_file(Bytes input, std::array<uint8_t, kPcrValues>* out) {
  constexpr size_t kDigest = 32;
  if (input.size() == kPcrValues) {
    std::memcpy(out->data(), input.data(), kPcrValues);
    return success();
  }
  // struct { u32 count; struct { u16 hash; u8 size; u8 select[4]; u8 pad } [16]; } then u32 lists, then per list
  // struct { u32 count; struct { u16 size; u8 buffer[64]; } [8]; }
  constexpr size_t kSelections = 16, kDigests = 8, kBuffer = 64;
  Reader r(input);
  TRY_LET(uint32_t banks, r.u32le());
  if (banks != 1) return fail(Code::bad_value, "pcr_file.banks");
  for (size_t i = 0; i < kSelections; ++i) {
    TRY_LET(uint16_t hash, r.u16le());
    TRY_LET(uint8_t size, r.u8());
    TRY_LET(Bytes select, r.bytes(4));
    TRY(r.bytes(1));
    if (i != 0) continue;
    if (hash != tpm::kAlgSha256 || size != 3) return fail(Code::bad_value, "pcr_file.bank");
    for (size_t k = 0; k < 3; ++k) {
      if (select[k] != 0xff) return fail(Code::bad_value, "pcr_file.selection");
    }
  }
  TRY_LET(uint32_t lists, r.u32le());
  if (lists != kMaxPcrLists) return fail(Code::bad_value, "pcr_file.lists");
  size_t at = 0;
  for (uint32_t list = 0; list < lists; ++list) {
    TRY_LET(uint32_t count, r.u32le());
    if (count != kDigests) return fail(Code::bad_value, "pcr_file.count");
    for (size_t i = 0; i < kDigests; ++i) {
      TRY_LET(uint16_t size, r.u16le());
      TRY_LET(Bytes buffer, r.bytes(kBuffer));
      if (size != kDigest) return fail(Code::bad_value, "pcr_file.digest");
      std::memcpy(out->data() + at, buffer.data(), kDigest);
      at += kDigest;
    }
  }
  return r.finish();
}

Result<Bytes> read_public_file(Bytes input) {
  if (tpm::Public::decode(input).ok()) return input;
  Reader r(input);
  Result<Bytes> inner = r.bytes16(kMaxTpmPublic);
  if (!inner.ok() || !r.finish().ok() || !tpm::Public::decode(*inner).ok()) return fail(Code::bad_value, "public_file");
  return *inner;
}

}  // namespace cstl
