// Intel TDX quotes, versions 4 and 5 (Intel TDX DCAP Quoting Library API, appendix A.3 and A.4): header, TD report 1.0
// or 1.5, and the ECDSA P-256 signature with what certifies its key: the quoting enclave's SGX report, signed by a PCK
// key, and the PCK certificate chain (certification data 6 over 5; the other types, which only name a PCK, are
// unsupported).
//
// Parsing is total: it checks form alone, borrows, allocates nothing, and leaves no byte over. Integers are little
// endian. Whoever asks for a quote with a buffer of fixed size uses quote_size() to cut off what follows it.
#pragma once

#include "crypto/hash.h"

namespace cstl::tdx {

constexpr size_t kMaxQuote = 16 * 1024;
constexpr size_t kMaxQeAuthData = 1024;
constexpr size_t kMaxPckChain = 12 * 1024;  // bytes of PEM
constexpr size_t kRtmrCount = 4;
constexpr size_t kReportData = 64;
constexpr size_t kSgxReport = 384;
constexpr size_t kQuoteHeader = 48;
constexpr size_t kTdReport10 = 584;
constexpr size_t kTdReport15 = 648;

constexpr uint16_t kAttestationKeyP256 = 2;
constexpr uint32_t kTeeTdx = 0x81;
constexpr uint16_t kBodyTdReport10 = 2;
constexpr uint16_t kBodyTdReport15 = 3;
constexpr uint16_t kCertificationPckChain = 5;
constexpr uint16_t kCertificationQeReport = 6;

// Bits of TDATTRIBUTES (Intel TDX Module ABI, table "TD_ATTRIBUTES").
constexpr uint64_t kTdDebug = uint64_t{1} << 0;             // the host reads and writes the TD's memory
constexpr uint64_t kTdTud = 0xff;                           // TUD: any bit set, the TD is untrusted
constexpr uint64_t kTdMigratable = uint64_t{1} << 29;
constexpr uint64_t kTdSeptVeDisable = uint64_t{1} << 28;    // no #VE for a page the host took away: Linux demands it

// Its registers. By value: a quote is verified once and its report outlives it.
struct TdReport {
  std::array<uint8_t, 16> tee_tcb_svn{};   // [0] TDX module's ISV SVN, [1] its version, [2] SEAM loader's last patch
  Digest48 mr_seam{};
  Digest48 mr_signer_seam{};
  std::array<uint8_t, 8> seam_attributes{};
  uint64_t td_attributes = 0;
  uint64_t xfam = 0;
  Digest48 mr_td{};
  Digest48 mr_config_id{};
  Digest48 mr_owner{};
  Digest48 mr_owner_config{};
  std::array<Digest48, kRtmrCount> rtmr{};
  std::array<uint8_t, kReportData> report_data{};
  bool is_15 = false;                      // the two that follow are there
  std::array<uint8_t, 16> tee_tcb_svn2{};  // what the platform runs now, after an update that kept TDs running
  Digest48 mr_service_td{};
};

// SGX REPORT body (Intel SDM volume 3D, 38.15) of the quoting enclave.
struct SgxReport {
  Bytes raw;                               // kSgxReport bytes: what the PCK key signs
  std::array<uint8_t, 16> cpu_svn{};
  uint32_t misc_select = 0;
  std::array<uint8_t, 16> attributes{};
  Digest32 mr_enclave{};
  Digest32 mr_signer{};
  uint16_t isv_prod_id = 0;
  uint16_t isv_svn = 0;
  std::array<uint8_t, 64> report_data{};
  // Errors: truncated, trailing.
  static Result<SgxReport> decode(Bytes raw);
};

struct Quote {
  uint16_t version = 0;                    // 4 or 5
  std::array<uint8_t, 16> qe_vendor_id{};
  std::array<uint8_t, 20> user_data{};
  TdReport report;
  Bytes signed_bytes;                      // header to report: what the attestation key signs
  std::array<uint8_t, 64> signature{};     // r ‖ s
  std::array<uint8_t, 64> attestation_key{};  // X ‖ Y on P-256
  SgxReport qe_report;
  std::array<uint8_t, 64> qe_report_signature{};
  Bytes qe_auth_data;
  Bytes pck_chain;                         // PEM; pck.h reads it

  // Errors: truncated, trailing, too_long; unsupported (another version, TEE, key type, body or certification data);
  // bad_value (sizes within that contradict each other).
  static Result<Quote> decode(Bytes input);
};

// How many of the leading bytes are a quote, by its own size fields; its form is not checked otherwise. Errors:
// truncated, too_long, unsupported.
Result<size_t> quote_size(Bytes input);

}  // namespace cstl::tdx
