// What Intel says about platforms and quoting enclaves: TCB info (TDX, version 3) and the enclave identity of the TD
// quoting enclave (version 2), both of Intel's PCS API version 4; and how a quote fares against them (the "TCB level"
// algorithm of that API's documentation and of Intel's quote verification library).
//
// Parsers take the JSON object whose bytes Intel signed, and nothing around it. Total and bounded. Members that are not
// named below are skipped, since Intel adds some without a new version; those that are named must be there once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "attest/tdx/pck.h"

namespace cstl::tdx {

constexpr size_t kMaxSignedObject = 48 * 1024;  // bytes of one of the two, as answered
constexpr size_t kMaxTcbLevels = 128;
constexpr size_t kMaxModules = 32;
constexpr size_t kMaxAdvisories = 128;          // per level
constexpr size_t kMaxAdvisory = 32;             // bytes

// The numbers are our own.
enum class TcbStatus : uint8_t {
  up_to_date,
  sw_hardening_needed,
  configuration_needed,
  configuration_and_sw_hardening_needed,
  out_of_date,
  out_of_date_configuration_needed,
  revoked,
  // Verifiers find these, TCB info never holds them: the platform was updated, the TD still carries the old TDX module.
  td_relaunch_advised,
  td_relaunch_advised_configuration_needed,
};
constexpr size_t kTcbStatuses = 9;
using TcbStatusSet = uint16_t;  // bit (1 << TcbStatus)
constexpr TcbStatusSet tcb_bit(TcbStatus status) {
  return static_cast<TcbStatusSet>(1u << static_cast<unsigned>(status));
}

const char* tcb_status_name(TcbStatus status);              // Intel's: "UpToDate", "SWHardeningNeeded", …
Result<TcbStatus> tcb_status_from(std::string_view name);   // bad_value

struct TcbLevel {
  Components sgx{};                 // of a platform's level
  Components tdx{};
  uint16_t pce_svn = 0;
  uint16_t isv_svn = 0;             // of a TDX module's or an enclave's
  TcbStatus status = TcbStatus::revoked;
  int64_t date = 0;                 // Unix seconds: all advisories until then are dealt with
  std::vector<std::string> advisories;
};

struct TdxModule {
  std::string id;                   // "TDX_01"; empty for the one of version 0
  Digest48 mr_signer{};
  std::array<uint8_t, 8> attributes{}, attributes_mask{};
  std::vector<TcbLevel> levels;     // by ISV SVN, the highest first
};

struct TcbInfo {
  int64_t issue_date = 0;           // Unix seconds
  int64_t next_update = 0;
  Fmspc fmspc{};
  PceId pce_id{};
  uint32_t evaluation = 0;          // tcbEvaluationDataNumber: grows with each TCB recovery
  TdxModule module;
  std::vector<TdxModule> modules;   // tdxModuleIdentities
  std::vector<TcbLevel> levels;     // the best first
  // Errors: tdx_collateral_malformed; `problem` (may be null) names the place.
  static Result<TcbInfo> parse(std::string_view object, std::string* problem);
};

struct QeIdentity {
  int64_t issue_date = 0;
  int64_t next_update = 0;
  uint32_t evaluation = 0;
  std::array<uint8_t, 4> misc_select{}, misc_select_mask{};
  std::array<uint8_t, 16> attributes{}, attributes_mask{};
  Digest32 mr_signer{};
  uint16_t isv_prod_id = 0;
  std::vector<TcbLevel> levels;     // by ISV SVN, the highest first
  // Errors: tdx_collateral_malformed.
  static Result<QeIdentity> parse(std::string_view object, std::string* problem);
};

// Who signed Intel's TD quoting enclave and which of the signer's products it is, as every identity of it says. A
// platform's owner may run enclaves of his own, and their reports are certified like any other: only this tells them
// apart.
constexpr Digest32 kIntelQeSigner{0xdc, 0x9e, 0x2a, 0x7c, 0x6f, 0x94, 0x8f, 0x17, 0x47, 0x4e, 0x34,
                                  0xa7, 0xfc, 0x43, 0xed, 0x03, 0x0f, 0x7c, 0x15, 0x63, 0xf1, 0xba,
                                  0xbd, 0xdf, 0x63, 0x40, 0xc8, 0x2e, 0x0e, 0x54, 0xa8, 0xc5};
constexpr uint16_t kIntelQeProduct = 2;

struct TcbVerdict {
  TcbStatus status = TcbStatus::revoked;    // all three together, as Intel converges them
  TcbStatus platform = TcbStatus::revoked;  // of the level that SGX and TDX components, and the PCE, reach
  TcbStatus module = TcbStatus::revoked;    // up_to_date for version 0, which has no levels of its own
  TcbStatus enclave = TcbStatus::revoked;   // the quoting enclave
  int64_t date = 0;                         // of the platform's level
  uint32_t evaluation = 0;                  // the lower of the two numbers
  std::vector<std::string> advisories;      // of every level that was reached; sorted, unique
};

// Errors: tdx_tcb_info_mismatch (FMSPC or PCE id), tdx_module (signer, attributes or version not Intel's),
// tdx_qe_identity, tdx_tcb_unsupported (below every level). What the status is worth, a reference says.
Result<TcbVerdict> judge_tcb(const TcbInfo& info, const QeIdentity& identity, const PckExtensions& pck,
                             const TdReport& report, const SgxReport& qe);

// What is left to judge without collateral: that the enclave is the one above, and not one for debugging. Errors:
// tdx_qe_identity.
Status check_enclave(const SgxReport& qe);

}  // namespace cstl::tdx
