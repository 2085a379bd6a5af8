// Files that hold evidence, of cstl and of other tools, told apart by what is in them. Total; borrows from the input; checks
// form alone, and of foreign kinds only as much as tells them apart (describe.h and appraisal read the rest).
//
// | kind | how it is recognised | written by |
// |---|---|---|
// | saved | begins with "cstl-evidence-1\n" | `cstl verify --save-evidence` |
// | evidence | items of attest/evidence.h | anything that speaks aTLS |
// | snp_report | 1184 bytes of a report, alone, behind the 32 bytes of the kernel's answer, or before a certificate table | snpguest, go-sev-guest, /dev/sev-guest |
// | tdx_quote | version 4 or 5, TEE 0x81; what follows its own size is ignored | go-tdx-guest, DCAP, configfs-tsm |
// | hcl_report | "HCLA" | the TPM's NV index 0x01400001 on Azure |
// | tpm_attest | TPM_GENERATED (0xff544347) | tpm2_quote -m |
// | event_log | its first event is "Spec ID Event03", or it is of the old format | the kernel's binary_bios_measurements, CCEL |
// | certificates | one or more certificates, PEM or DER | |
#pragma once

#include "attest/evidence.h"
#include "crypto/hash.h"

namespace cstl {

constexpr size_t kMaxEvidenceFile = 1024 * 1024;

enum class FileKind : uint8_t {
  saved, evidence, snp_report, tdx_quote, hcl_report, tpm_attest, event_log, certificates
};
const char* file_kind_name(FileKind kind);  // "SEV-SNP report"

// Evidence as it came, with the binding that it answers to.
struct SavedEvidence {
  int64_t saved_at = 0;     // Unix seconds, by whoever saved it
  Digest32 binding{};       // what the aTLS session demanded (attest/attester.h): an argument of appraise()
  Bytes evidence;           // at most kMaxEvidence
  // "cstl-evidence-1\n", u64 saved_at, 32 bytes binding, u32 length, evidence. Errors: evidence_unknown (another beginning),
  // truncated, too_long, trailing.
  static Result<SavedEvidence> decode(Bytes input);
  std::vector<uint8_t> encode() const;
};

struct EvidenceFile {
  FileKind kind = FileKind::evidence;
  Bytes content;            // the object itself, without what stands before or behind it
  Bytes table;              // snp_report: the certificate table behind it; empty without
  size_t ignored = 0;       // tdx_quote: bytes behind it
  bool old_log = false;     // event_log: of the old format, SHA-1 only
  bool cc_log = false;      // event_log: without a SHA-256 bank, with SHA-384: of RTMRs (CCEL)
  // Errors: evidence_unknown, too_long.
  static Result<EvidenceFile> detect(Bytes input);
};

// PCR values as tpm2_quote -o or tpm2_pcrread -o write them: 24 SHA-256 values one after the other, or tpm2-tools' own form
// (TPML_PCR_SELECTION, count and TPML_DIGESTs, as they lie in memory on a little-endian machine). Into `out`, PCR 0 first.
// Errors: bad_value (not exactly PCRs 0 to 23 of the SHA-256 bank).
Status read_pcr_file(Bytes input, std::array<uint8_t, kPcrValues>* out);

// A TPMT_PUBLIC, as it is or as a TPM2B_PUBLIC (tpm2_createak -u), without the size in front. Errors: bad_value.
Result<Bytes> read_public_file(Bytes input);

}  // namespace cstl
