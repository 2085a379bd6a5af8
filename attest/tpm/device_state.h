// What device.cc, issue.cc and nv.cc of attest/tpm share of tpm2-tss; no other file includes it.
#pragma once

#include <cstdlib>

#include <tss2/tss2_esys.h>

#include "attest/tpm/device.h"

namespace cstl::tpm {

inline Status tss_ok(TSS2_RC rc, const char* site) {
  return rc == TSS2_RC_SUCCESS ? success() : Status(fail(Code::tpm_failed, site, Origin::tss, rc));
}

// Memory that ESYS returned.
struct EsysFree {
  void operator()(void* p) const { Esys_Free(p); }
};
template <typename T>
using EsysPtr = std::unique_ptr<T, EsysFree>;

// A transient object or a session inside the TPM; flushed on destruction (TPMs have three slots).
class Transient {
 public:
  Transient() = default;
  Transient(ESYS_CONTEXT* esys, ESYS_TR handle) : esys_(esys), handle_(handle) {}
  ~Transient() {
    // A flush that fails leaves nothing to be done.
    if (handle_ != ESYS_TR_NONE) (void)Esys_FlushContext(esys_, handle_);
  }
  Transient(Transient&& other) noexcept : esys_(other.esys_), handle_(other.handle_) { other.handle_ = ESYS_TR_NONE; }
  Transient& operator=(Transient&& other) noexcept {
    std::swap(esys_, other.esys_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ESYS_TR get() const { return handle_; }

 private:
  ESYS_CONTEXT* esys_ = nullptr;
  ESYS_TR handle_ = ESYS_TR_NONE;
};

struct Device::State {
  TSS2_TCTI_CONTEXT* tcti = nullptr;  // of a size that its implementation asks for
  bool ready = false;                 // tcti is initialised
  ESYS_CONTEXT* esys = nullptr;
  ~State() {
    if (esys != nullptr) Esys_Finalize(&esys);
    if (ready) Tss2_Tcti_Finalize(tcti);
    std::free(tcti);
  }
};

// All 24 PCRs of the SHA-256 bank.
TPML_PCR_SELECTION all_pcrs();

}  // namespace cstl::tpm
