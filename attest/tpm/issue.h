// Making evidence with the machine's TPM: an AK (ECC P-256, restricted signing, noDA) created as a primary key in the
// endorsement hierarchy from a fixed template, so it is the same key on every boot of the same TPM; quotes over all 24
// PCRs of the SHA-256 bank; the EK's certificate from NV (TCG EK Credential Profile); credential activation.
#pragma once

#include "attest/attester.h"
#include "attest/tpm/device.h"

namespace cstl::tpm {

struct IssueConfig {
  Variant variant = Variant::qemu_vtpm;
  std::string event_log = "/sys/kernel/security/tpm0/binary_bios_measurements";  // empty: none is sent
};

class Issuer final : public Attester {
 public:
  // Creates the AK and reads the EK certificate (absent is fine: evidence is then without endorsement). `device` must
  // outlive the issuer. Errors: tpm_failed, too_long, io.
  static Result<std::unique_ptr<Issuer>> create(Device& device, const IssueConfig& config);
  ~Issuer() override;

  Variant variant() const override;
  size_t max_bindings() const override;
  Result<EvidenceList> quote(const std::vector<Binding>& bindings) override;
  // The same for the digests of bindings (1..65536): one TPM quote, one encoded Evidence for each of
  // the first `wanted`, in order.
  Result<EvidenceList> sign(const std::vector<Digest32>& bindings, size_t wanted = SIZE_MAX);
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
