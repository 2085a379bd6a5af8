// What a verified SEV-SNP report must say: the member "snp" of a reference set (docs/attestation-snp.md has the
// schema), and the comparison, which explains itself claim by claim. Pure; no clock, no I/O.
//
// Left out means: not compared, except where a default is stricter: no debugging, no migration agent, VMPL 0.
#pragma once

#include <optional>
#include <vector>

#include "attest/reference/claim.h"
#include "attest/snp/verify.h"
#include "crypto/base/json_object.h"

namespace cstl::snp {

constexpr size_t kMaxExpected = 32;   // values per list
constexpr size_t kMaxChips = 1024;

struct Reference {
  std::vector<Digest32> roots;                       // by SPKI hash, for every product; empty: AMD's, per product
  bool crl_required = false;
  std::vector<Product> products;                     // any of them
  std::vector<Digest48> measurements;                // launch measurement: any of them
  std::optional<Tcb> current, reported, committed, launch;  // floors
  struct Policy {
    bool debug = false;                              // may be allowed by the guest's policy; so the next four
    bool migration_agent = false;
    bool smt = true;
    bool cxl = true;
    bool single_socket = false;                      // must be demanded by the guest's policy; so the rest
    bool memory_aes_256_xts = false;
    bool rapl_disabled = false;
    bool ciphertext_hiding = false;
    bool page_swap_disabled = false;
    uint8_t abi_major = 0, abi_minor = 0;            // at least
  } policy;
  struct Platform {
    bool smt = true;                                 // may be on
    bool ecc = false;                                // must be; so the rest
    bool tsme = false;
    bool alias_check = false;
    bool rapl_disabled = false;
    bool ciphertext_hiding = false;
  } platform;
  uint8_t vmpl = 0;                                  // this or a more privileged one
  uint32_t guest_svn = 0;                            // at least
  std::vector<Digest32> host_data;                   // any of them, each
  std::vector<std::array<uint8_t, 16>> family_ids, image_ids;
  std::vector<Digest48> id_keys, author_keys;        // digests
  std::vector<ChipId> chips;                         // allow-list
  std::vector<std::string> providers;                // CSP ids of VLEKs: any of them; printable ASCII

  // Unknown members are refused; `problem` (may be null) names the place. Errors: reference_malformed.
  static Result<Reference> from_json(const nlohmann::json& value, std::string* problem);
  // Parses back to itself; what equals the default is left out.
  nlohmann::json to_json() const;
  // What a machine accepts of its peers when it has but its own report: the same processor, launch measurement, key
  // digests, policy; TCB at least its own launch TCB.
  static Reference own(const VerifiedReport& report);

  // It says which software runs: a launch measurement, or who signed the launch. Without that (and without PCRs) a set
  // enforces nothing.
  bool names_software() const { return !measurements.empty() || !id_keys.empty() || !author_keys.empty(); }
  // Borrows `roots` of this. `now`: Unix seconds of the verifier.
  VerifyPolicy verify_policy(int64_t now) const;
};

// Appends a claim per comparison ("snp.measurement", "snp.tcb.launch", "snp.policy.debug", …). The result is the code
// of the first that failed: snp_product, snp_measurement, snp_tcb_low, snp_policy, snp_vmpl, snp_launch_identity,
// snp_chip_refused; ok if none did.
Code appraise(const VerifiedReport& report, const Reference& reference, std::vector<Claim>& claims);
// What the report says about the platform, for people.
void facts_of(const VerifiedReport& report, std::vector<Fact>& facts);

}  // namespace cstl::snp
