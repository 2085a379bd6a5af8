// Making evidence with the machine's TPM: quotes over all 24 PCRs of the SHA-256 bank by an attestation key; the EK's
// certificate from NV (TCG EK Credential Profile); credential activation. The AK is one of ours (ECC P-256, restricted
// signing, noDA), created as a primary key in the endorsement hierarchy from a fixed template, so it is the same key on every
// boot of the same TPM; or the one that the platform has made and vouches for.
#pragma once

#include "attest/attester.h"
#include "attest/merkle.h"
#include "attest/tpm/device.h"

namespace cstl::tpm {

struct AkChoice {
  enum Kind : uint8_t {
    own,         // our template
    persistent,  // the object at `handle`: Azure, 0x81000003
    stored,      // a primary key of the endorsement hierarchy, of the template in NV index `handle`: Google, 0x01c10003
  } kind = own;
  uint32_t handle = 0;
};

// What the platform around the TPM adds to an evidence.
class EvidenceSource {
 public:
  virtual ~EvidenceSource() = default;
  // `evidence` holds the AK's public area already, if there is a TPM. What is put in may borrow from the source, until the
  // next call. Errors: tee_failed, tpm_failed, too_long.
  virtual Status add(const Digest32& qualifier, Evidence& evidence) = 0;
};

struct IssueConfig {
  Variant variant = Variant::qemu_vtpm;
  std::string event_log = "/sys/kernel/security/tpm0/binary_bios_measurements";  // empty: none is sent
  AkChoice ak = {};
  EvidenceSource* source = nullptr;  // must outlive the issuer
};

// One encoded Evidence for each of the first `wanted` leaves of the tree: `evidence` with the leaf's path.
Result<EvidenceList> encode_for_leaves(Evidence evidence, const MerkleTree& tree, size_t wanted);

class Issuer final : public LocalAttester {
 public:
  // Makes or finds the AK and reads the EK certificate (absent is fine: evidence is then without endorsement). `device` must
  // outlive the issuer. Errors: tpm_failed, too_long, io.
  static Result<std::unique_ptr<Issuer>> create(Device& device, const IssueConfig& config);
  ~Issuer() override;

  Variant variant() const override;
  size_t max_bindings() const override;
  Result<EvidenceList> sign(const std::vector<Digest32>& bindings, size_t wanted = SIZE_MAX) override;
  // TPM2_ActivateCredential: `credential` is TPM2B_ID_OBJECT ‖ TPM2B_ENCRYPTED_SECRET as make_credential() wrote them.
  // Returns the secret (at most 32 bytes). Errors: activation_failed, tpm_failed.
  Result<std::vector<uint8_t>> activate(Bytes credential) override;
  // How many TPM2_Quote commands were sent, for tests and metrics.
  uint64_t quotes() const;

 private:
  Issuer();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::tpm
