// Reference values: what a verifier expects. JSON (docs/attestation.md has the schema):
// {"cstl": "reference-values/1", "sets": [{"id": "…", "variant": "qemu-vtpm", "not_before": "2026-01-01T00:00:00Z",
//   "not_after": "…", "roles": ["control-plane","worker"], "pcrs": {"4": {"expected": ["<hex>"], "enforce": true,
//   "component": "…", "events": [{"digest": "<hex>", "component": "initrd"}]}}, "ek_roots": ["<base64 DER certificate>"],
//   "ak_roots": ["<base64 DER certificate>"], "nitro_pcrs": {"4": ["<hex of SHA-384>"]}, "gcp": {"projects": ["…"],
//   "technologies": ["sev-snp"]}, "snp": {…}, "tdx": {…}, "secure_boot": "on", "allow_unendorsed_ak": false}]}
// ek_roots and ak_roots are whole certificates (a root, or the issuing CA itself: many TPMs, swtpm among them, store no chain
// in NV). Events never decide: they let a verdict say which event of the log, and so which component, made a PCR differ.
// Which members a set must and may have depends on its variant (docs/platforms.md). Refused when loaded: unknown fields, no
// set, a set that enforces nothing, a closed window, an id twice, PCR 15 (the cluster's, see ClusterRule), a member that the
// variant has no use for, a set that pins no root for what must be vouched for, depth or size over the limits.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/evidence.h"
#include "attest/gcp/instance.h"
#include "attest/snp/reference.h"
#include "attest/tdx/reference.h"
#include "crypto/hash.h"

namespace cstl {

constexpr size_t kMaxReferenceValues = 128 * 1024;  // bytes of JSON
constexpr size_t kMaxReferenceSets = 32;
constexpr size_t kMaxExpectedDigests = 8;           // per index
constexpr size_t kMaxReferenceEvents = 64;          // per index
constexpr size_t kMaxEkRoots = 8;                   // per set, each at most kMaxCertificate bytes; ak_roots too
constexpr size_t kMaxProjects = 16;
constexpr size_t kMaxComponent = 64;                // bytes of printable ASCII
constexpr uint8_t kClusterPcr = 15;

enum class Role : uint8_t { control_plane = 1, worker = 2 };
const char* role_name(Role role);                       // "control-plane", "worker"
Result<Role> role_from_name(std::string_view name);     // bad_value
Result<Role> role_from_number(uint8_t number);          // bad_value

struct ReferenceEvent {
  Digest32 digest{};
  std::string component;           // "initrd"
};

struct PcrReference {
  uint8_t index = 0;
  bool enforce = true;
  std::vector<Digest32> expected;  // any of them
  std::string component;           // for people; may be empty
  std::vector<ReferenceEvent> events;  // in the order of measurement; may be empty
};

// One of the PCRs in an attestation document of AWS (attest/aws/document.h). All are enforced.
struct NitroPcr {
  uint8_t index = 0;
  std::vector<Digest48> expected;  // any of them
};

// What Google says about an instance must be one of these; empty: anything.
struct GcpReference {
  std::vector<std::string> projects;          // project ids
  std::vector<gcp::Technology> technologies;
};

struct ReferenceSet {
  std::string id;                  // [a-z0-9._-]{1,64}
  Variant variant = Variant::qemu_vtpm;
  int64_t not_before = 0;          // Unix seconds
  int64_t not_after = 0;
  uint8_t roles = 0;               // bit (1 << Role)
  std::vector<PcrReference> pcrs;  // ascending, unique
  std::vector<std::vector<uint8_t>> ek_roots;  // DER certificates; appraisal pins them by SPKI hash
  std::vector<std::vector<uint8_t>> ak_roots;  // likewise: who certifies AKs, or signs documents about them
  std::vector<NitroPcr> nitro_pcrs;            // ascending, unique
  GcpReference gcp;
  std::optional<snp::Reference> snp;           // there for every variant with SEV-SNP
  std::optional<tdx::Reference> tdx;           // and with TDX
  bool secure_boot = false;        // the event log must be there and say that Secure Boot was on
  bool allow_unendorsed_ak = false;
  bool admits(Role role) const { return (roles >> static_cast<unsigned>(role) & 1) != 0; }
};

// What vouches for the AK of a variant.
enum class AkRoot : uint8_t {
  none,         // it has no TPM
  ek,           // the TPM maker's endorsement of its EK, and activation
  certificate,  // the platform's certificate for the AK
  report,       // the TEE's report names the AK (Azure's runtime data)
  document,     // a document that the hypervisor signs (AWS)
};
AkRoot ak_root_of(Variant variant);
// A virtual TPM may have nothing that vouches for its AK; then a set must say that this is accepted.
bool may_be_unendorsed(Variant variant);

struct ReferenceValues {
  std::string name;                // of the document; may be empty
  int64_t version = 0;             // grows with every published document; 0: none
  int64_t expires = 0;             // Unix seconds, exclusive; 0: never
  std::vector<ReferenceSet> sets;
  bool expired(int64_t now) const { return expires != 0 && now >= expires; }
  // `now`: Unix seconds of the verifier. Errors: reference_malformed, reference_empty, reference_expired (the document, or every
  // set of a variant, is outside its window), variant_unknown, bad_json. On error `problem` names the place ("sets[0].pcrs.4: …").
  static Result<ReferenceValues> parse(std::string_view json, int64_t now, std::string* problem);
  std::string to_json() const;     // deterministic, two-space indent, parses back to itself
  VariantSet variants() const;
};

}  // namespace cstl
