// What a verified TDX quote must say: the member "tdx" of a reference set (docs/attestation-tdx.md has the schema), and
// the comparison, which explains itself claim by claim. Pure; no clock, no I/O.
//
// Left out means: not compared, except where a default is stricter: TCB status UpToDate, collateral demanded, no
// debugging, no migration, SEPT_VE_DISABLE set, no service TD bound, TDX module and quoting enclave by Intel.
#pragma once

#include <optional>

#include "attest/reference/claim.h"
#include "attest/tdx/verify.h"
#include "crypto/base/json_object.h"

namespace cstl::tdx {

constexpr size_t kMaxExpected = 32;        // values per list
constexpr size_t kMaxPlatforms = 1024;
constexpr size_t kMaxRtmrEvents = 64;      // per register
constexpr uint8_t kClusterRtmr = 3;        // the cluster's: never in a reference

struct RtmrEvent {
  Digest48 digest{};
  std::string component;                   // "initrd"
};

struct RtmrReference {
  uint8_t index = 0;                       // 0 to 2
  bool enforce = true;
  std::vector<Digest48> expected;          // any of them
  std::string component;                   // for people; may be empty
  std::vector<RtmrEvent> events;           // in the order of measurement; may be empty; explain, never decide
};

struct Reference {
  std::vector<Digest32> roots;                       // by SPKI hash; empty: Intel's
  bool collateral_required = true;                   // without it neither revocation nor the TCB's status is known
  TcbStatusSet statuses = tcb_bit(TcbStatus::up_to_date);  // accepted
  uint32_t evaluation = 0;                           // of the collateral: at least (tcbEvaluationDataNumber)
  std::optional<Components> tee_tcb_svn;             // each component at least
  uint16_t pce_svn = 0;                              // of the PCK certificate: at least
  uint16_t qe_svn = 0;                               // ISV SVN of the quoting enclave: at least
  std::vector<std::array<uint8_t, 16>> qe_vendors;   // any of them; empty: Intel's
  std::vector<Digest48> mr_td, mr_seam;              // any of them, each
  std::vector<Digest48> mr_signer_seam;              // empty: zeros, as Intel's modules have it
  std::vector<Digest48> mr_config_id, mr_owner, mr_owner_config;
  std::vector<Digest48> mr_service_td;               // empty: zeros (none is bound)
  std::vector<RtmrReference> rtmrs;                  // ascending, unique
  struct Attributes {
    bool debug = false;                              // may be; so the next two
    bool migratable = false;
    bool perfmon = true;
    bool sept_ve_disable = true;                     // must be
  } attributes;
  std::vector<uint64_t> xfam;                        // any of them
  std::vector<Digest32> platforms;                   // allow-list: SHA-256 of the PPID

  // Unknown members are refused; `problem` (may be null) names the place. Errors: reference_malformed.
  static Result<Reference> from_json(const nlohmann::json& value, std::string* problem);
  // Parses back to itself; what equals the default is left out.
  nlohmann::json to_json() const;
  // What a machine accepts of its peers when it has but its own quote: the same MRTD, RTMR1, RTMR2 and attributes; TDX
  // module, PCE and quoting enclave at least as new.
  static Reference own(const VerifiedQuote& quote);

  // It says which software runs: the firmware (MRTD) and, since firmware loads what it is told to, RTMR1 or RTMR2.
  // RTMRs without MRTD prove nothing: other firmware extends them as it likes. Without that (and without PCRs) a set
  // enforces nothing.
  bool names_software() const;
  // Borrows `roots` of this. `now`: Unix seconds of the verifier.
  Trust trust(int64_t now) const;
};

// Appends a claim per comparison ("tdx.mrtd", "tdx.rtmr1", "tdx.tcb.status", "tdx.attributes.debug", …). `ccel`: the
// event log, or empty; when it does not replay, it explains nothing and the claim "tdx.ccel" fails. The result is the
// code of the first that failed: tdx_collateral_missing, tdx_tcb_status, reference_mismatch, log_malformed and the
// like, rtmr_replay; ok if none did.
Code appraise(const VerifiedQuote& quote, const Reference& reference, Bytes ccel, std::vector<Claim>& claims);
// What the quote says about the platform, for people.
void facts_of(const VerifiedQuote& quote, std::vector<Fact>& facts);

}  // namespace cstl::tdx
