// Many attestation keys in one software TPM, for tests and benchmarks that need many nodes: each key is a primary key of
// its own (a template that differs in its `unique` part), kept as a saved context and loaded for each quote, since a TPM
// has three slots. The evidence is real and carries no endorsement, so the identity of each is its AK's name (under an EK
// certificate all keys of a TPM would be one machine). PCRs are the TPM's, so all keys of one TPM run the same image.
#pragma once

#include <memory>
#include <string>

#include "attest/attester.h"
#include "attest/tpm/device.h"

namespace cstl::test {

class PooledAk final : public Attester {
 public:
  // `device` outlives the key. Ends the test when the TPM refuses.
  static std::unique_ptr<PooledAk> create(tpm::Device& device, const std::string& unique);
  ~PooledAk() override;

  Variant variant() const override { return Variant::qemu_vtpm; }
  size_t max_bindings() const override { return 64; }
  Result<EvidenceList> quote(const std::vector<Binding>& bindings) override;
  Result<std::vector<uint8_t>> activate(Bytes credential) override;

 private:
  explicit PooledAk(tpm::Device& device);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::test
