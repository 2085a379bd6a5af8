// The machine's own TPM, through tpm2-tss (only device, issue, nv and held_socket of attest/tpm include it).
// Blocking; a quote takes tens to hundreds of milliseconds. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attest/evidence.h"
#include "crypto/hash.h"

namespace cstl::tpm {

class Device {
 public:
  // `path`: "/dev/tpmrm0" (the TCTI "device"), or for tests "unix:/abs/socket" (a connection that is held: one user of
  // the TPM at a time) or "swtpm:path=/abs/socket" (a connection per command). The first two open their descriptor here,
  // so a program can confine itself afterwards; the third cannot be used by a confined one. Errors: tpm_missing, tpm_failed.
  static Result<std::unique_ptr<Device>> open(const std::string& path);
  ~Device();

  // All 24 PCRs of the SHA-256 bank, read consistently. Errors: tpm_failed.
  Result<std::array<Digest32, kPcrCount>> read_pcrs();
  // TPM2_PCR_Event: extends every bank with the hash of `data` (at most 1024 bytes). Errors: tpm_failed.
  Status pcr_event(uint32_t pcr, Bytes data);

  // All of an NV index that is readable with its own or the owner's empty authorisation. Errors: not_found, tpm_failed,
  // too_long (more than `max` bytes).
  Result<std::vector<uint8_t>> read_nv(uint32_t index, size_t max);

  struct State;
  State& state() { return *state_; }

 private:
  Device();
  std::unique_ptr<State> state_;
};

}  // namespace cstl::tpm
