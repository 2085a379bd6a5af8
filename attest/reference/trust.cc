#include "attest/reference/trust.h"

#include "attest/reference/appraise.h"

namespace cstl {

namespace {
enum class Subject : uint8_t { identity, configuration, executables, hardware, form };

// What claims are about, by their names; the longest prefix decides. docs/attestation.md lists the names.
struct Prefix {
  const char* text;
  Subject subject;
};
constexpr Prefix kPrefixes[] = {
    {"pcr", Subject::executables},
    {"pcr1", Subject::configuration},      // not 10 to 19, which come below
    {"pcr3", Subject::configuration},
    {"pcr5", Subject::configuration},
    {"pcr7", Subject::configuration},
    {"pcr10", Subject::executables},
    {"pcr11", Subject::executables},
    {"pcr12", Subject::configuration},     // overridden command lines, credentials, addons
    {"pcr13", Subject::executables},
    {"pcr14", Subject::configuration},     // shim's certificates
    {"pcr16", Subject::executables},
    {"pcr17", Subject::executables},
    {"pcr18", Subject::executables},
    {"pcr19", Subject::executables},
    {"log.", Subject::form},               // as tdx.ccel
    {"ek.", Subject::identity},
    {"ak.", Subject::identity},
    {"ak.attributes", Subject::form},      // any software can make a key of this form
    {"ak.name", Subject::form},
    {"instance", Subject::identity},
    {"snp.", Subject::configuration},
    {"snp.measurement", Subject::executables},
    {"snp.id_key", Subject::executables},
    {"snp.author_key", Subject::executables},
    {"snp.chain", Subject::hardware},
    {"snp.chip", Subject::identity},
    {"snp.crl", Subject::hardware},
    {"snp.certificate", Subject::hardware},
    {"snp.product", Subject::hardware},
    {"snp.tcb", Subject::hardware},
    {"tdx.", Subject::configuration},
    {"tdx.mrtd", Subject::executables},
    {"tdx.mr_td", Subject::executables},
    {"tdx.rtmr", Subject::executables},
    {"tdx.mrseam", Subject::hardware},
    {"tdx.mr_seam", Subject::hardware},
    {"tdx.mrsigner", Subject::hardware},
    {"tdx.chain", Subject::hardware},
    {"tdx.pck", Subject::hardware},
    {"tdx.crl", Subject::hardware},
    {"tdx.collateral", Subject::hardware},
    {"tdx.qe", Subject::hardware},
    {"tdx.tcb", Subject::hardware},
    {"rtmr", Subject::executables},
    {"mrtd", Subject::executables},
    {"quote.", Subject::form},
    {"evidence.", Subject::form},
    {"snp.form", Subject::form},
    {"snp.report_data", Subject::form},
    {"snp.signature", Subject::form},
    {"snp.signing_key", Subject::form},
    {"snp.collateral", Subject::hardware},
    {"snp.provider", Subject::identity},
    {"tdx.form", Subject::form},
    {"tdx.report_data", Subject::form},
    {"tdx.quote_signature", Subject::form},
    {"tdx.ccel", Subject::form},           // it explains the registers, which have claims of their own
    {"tdx.platform", Subject::identity},
    {"tdx.revocation", Subject::hardware},
    {"nitro.", Subject::identity},
    {"nitro.pcr", Subject::executables},
    {"gcp.", Subject::identity},
    {"azure.", Subject::identity},
    {"azure.secure_boot", Subject::configuration},
    {"secure_boot", Subject::configuration},
    {"tee.", Subject::form},
};

Subject subject_of(const std::string& name) {
  Subject best = Subject::configuration;
  size_t longest = 0;
  for (const Prefix& prefix : kPrefixes) {
    size_t size = std::char_traits<char>::length(prefix.text);
    if (size > longest && name.compare(0, size, prefix.text) == 0) {
      longest = size;
      best = prefix.subject;
    }
  }
  return best;
}

// What AR4SI says for a subject that passed, warned or failed.
struct Values {
  int8_t passed, warned, failed;
};
constexpr Values kValues[] = {
    {2, 0, 97},    // identity: recognised; not known, as the set allows; not recognised
    {2, 32, 96},   // configuration: approved; with known weaknesses; unacceptable
    {3, 33, 33},   // executables: approved at boot (what runs later is not measured); not recognised
    {2, 32, 97},   // hardware: genuine; genuine with known weaknesses; not recognised
};
constexpr int8_t kUnexpectedEvidence = 1;
constexpr int8_t kCryptographyFailed = 99;
constexpr int8_t kEncryptedMemory = 2;

void set_all(TrustVector& vector, int8_t value) {
  for (const TrustVector::Row& row : TrustVector::rows()) vector.*row.value = value;
}

int8_t worse(int8_t seen, int8_t next) {
  if (seen == 0) return next;
  return static_cast<int8_t>(tier_of(next)) > static_cast<int8_t>(tier_of(seen)) ? next : seen;
}

bool tee(Variant variant) {
  switch (variant) {
    case Variant::sev_snp:
    case Variant::aws_sev_snp:
    case Variant::azure_sev_snp:
    case Variant::gcp_sev_snp:
    case Variant::tdx:
    case Variant::qemu_tdx:
    case Variant::azure_tdx: return true;
    default: return false;
  }
}

// The evidence itself did not hold: 0 if it did.
int8_t whole_failure(Code code) {
  switch (code) {
    case Code::evidence_malformed:
    case Code::variant_unknown:
    case Code::too_long:
    case Code::truncated:
    case Code::trailing:
    case Code::bad_value:
    case Code::unsupported:
    case Code::quote_magic:
    case Code::quote_type:
    case Code::log_malformed:
    case Code::snp_report_version:
    case Code::snp_report_unsigned:
    case Code::snp_report_malformed: return kUnexpectedEvidence;
    case Code::quote_key:
    case Code::quote_signature:
    case Code::quote_nonce:
    case Code::quote_selection:
    case Code::quote_digest:
    case Code::merkle_path:
    case Code::log_replay:
    case Code::bad_signature:
    case Code::activation_failed:
    case Code::snp_signature:
    case Code::snp_report_data:
    case Code::tdx_qe_report_signature:
    case Code::tdx_qe_binding:
    case Code::tdx_quote_signature:
    case Code::tdx_report_data:
    case Code::rtmr_replay: return kCryptographyFailed;
    default: return 0;
  }
}
}  // namespace

const TrustVector::Row (&TrustVector::rows())[kRows] {
  static constexpr Row kAll[kRows] = {{"instance-identity", &TrustVector::instance_identity},
                                      {"configuration", &TrustVector::configuration},
                                      {"executables", &TrustVector::executables},
                                      {"file-system", &TrustVector::file_system},
                                      {"hardware", &TrustVector::hardware},
                                      {"runtime-opaque", &TrustVector::runtime_opaque},
                                      {"storage-opaque", &TrustVector::storage_opaque},
                                      {"sourced-data", &TrustVector::sourced_data}};
  return kAll;
}

const char* trust_tier_name(TrustTier tier) {
  switch (tier) {
    case TrustTier::none: return "none";
    case TrustTier::affirming: return "affirming";
    case TrustTier::warning: return "warning";
    case TrustTier::contraindicated: break;
  }
  return "contraindicated";
}

TrustTier tier_of(int8_t value) {
  if (value >= -1 && value <= 1) return TrustTier::none;
  if (value >= -32 && value <= 31) return TrustTier::affirming;
  if (value >= -96 && value <= 95) return TrustTier::warning;
  return TrustTier::contraindicated;
}

const char* trust_value_text(const char* name, int8_t value) {
  struct Text {
    const char* name;
    int8_t value;
    const char* text;
  };
  constexpr Text kTexts[] = {{"instance-identity", 2, "recognised"},
                             {"instance-identity", 97, "not recognised"},
                             {"configuration", 2, "approved"},
                             {"configuration", 32, "known weaknesses"},
                             {"configuration", 96, "unacceptable"},
                             {"executables", 3, "approved at boot"},
                             {"executables", 33, "not recognised"},
                             {"hardware", 2, "genuine"},
                             {"hardware", 32, "genuine, known weaknesses"},
                             {"hardware", 97, "not recognised"},
                             {"runtime-opaque", 2, "memory encrypted"}};
  if (value == kUnexpectedEvidence) return "unexpected evidence";
  if (value == kCryptographyFailed) return "cryptographic validation failed";
  for (const Text& row : kTexts) {
    if (row.value == value && std::string_view(row.name) == name) return row.text;
  }
  return "";
}

TrustVector trust_vector(const Verdict& verdict) {
  TrustVector out;
  if (int8_t whole = whole_failure(verdict.code); whole != 0) {
    set_all(out, whole);
    return out;
  }
  int8_t TrustVector::*const kMembers[] = {&TrustVector::instance_identity, &TrustVector::configuration,
                                           &TrustVector::executables, &TrustVector::hardware};
  for (const Claim& claim : verdict.claims) {
    Subject subject = subject_of(claim.name);
    if (subject == Subject::form || claim.name == "reference.window" || claim.name == "cluster") continue;
    const Values& values = kValues[static_cast<size_t>(subject)];
    int8_t value = claim.result == ClaimResult::passed   ? values.passed
                   : claim.result == ClaimResult::warned ? values.warned
                                                         : values.failed;
    int8_t& member = out.*kMembers[static_cast<size_t>(subject)];
    if (value != 0) member = worse(member, value);
  }
  // Only a vendor's key vouches for hardware: of the TPM where that is the platform, else of the processor.
  if (verdict.variant == Variant::tpm && verdict.endorsed) out.hardware = worse(out.hardware, kValues[3].passed);
  // A host that may debug a machine reads its memory: opaque is what a set forbade that, and was right.
  for (const Claim& claim : verdict.claims) {
    bool debug = claim.name == "snp.policy.debug" || claim.name == "tdx.attributes.debug";
    if (!debug || claim.result != ClaimResult::passed) continue;
    if (verdict.passed() && tee(verdict.variant) && tier_of(out.hardware) != TrustTier::none) out.runtime_opaque = kEncryptedMemory;
  }
  return out;
}

TrustTier trust_tier(const Verdict& verdict) {
  if (verdict.code == Code::internal || verdict.code == Code::crypto_failed || verdict.code == Code::reference_empty) {
    return TrustTier::none;
  }
  if (!verdict.passed()) return TrustTier::contraindicated;
  TrustTier worst = TrustTier::affirming;
  TrustVector vector = trust_vector(verdict);
  for (const TrustVector::Row& row : TrustVector::rows()) {
    TrustTier tier = tier_of(vector.*row.value);
    if (static_cast<int8_t>(tier) > static_cast<int8_t>(worst)) worst = tier;
  }
  for (const Claim& claim : verdict.claims) {
    if (claim.result == ClaimResult::warned && worst == TrustTier::affirming) worst = TrustTier::warning;
  }
  return worst;
}

}  // namespace cstl
