// Provisioning Certification Keys: the certificate chain that a quote carries, and Intel's extensions in its leaf
// (Intel SGX PCK Certificate and CRL Profile Specification, 1.3.5 and appendix A). Total; nothing here checks a
// signature.
#pragma once

#include <vector>

#include "attest/tdx/quote.h"

namespace cstl::tdx {

using Fmspc = std::array<uint8_t, 6>;    // family, model, stepping, platform and custom SKU: selects the TCB info
using PceId = std::array<uint8_t, 2>;
using Components = std::array<uint8_t, 16>;  // security version numbers, one per TCB component

struct PckChain {
  std::vector<uint8_t> leaf, intermediate, root;  // DER
  // Of a quote's PEM: exactly three certificates, leaf first, each in the canonical form of RFC 7468 with lines of 64
  // and LF; one NUL may follow, as C strings have it. So a changed character of the text, which no signature covers,
  // never passes. Errors: tdx_pck_chain.
  static Result<PckChain> decode(Bytes pem);
};

// The certificates of such a text, at most `max`; `code` is the refusal.
Result<std::vector<std::vector<uint8_t>>> certificates_of_pem(Bytes pem, size_t max, Code code);

struct PckExtensions {
  std::array<uint8_t, 16> ppid{};   // of the platform, stable: who it is
  Components tcb{};                 // SGX TCB components 01–16
  uint16_t pce_svn = 0;
  std::array<uint8_t, 16> cpu_svn{};
  PceId pce_id{};
  Fmspc fmspc{};
  // The value of extension 1.2.840.113741.1.13.1. Each of the members above must be there once; others, such as the
  // platform's configuration, are skipped but must be well formed. Errors: tdx_pck_extensions.
  static Result<PckExtensions> decode(Bytes extension);
};

// Intel's names for the roles of certificates: the common name (2.5.4.3) of a Name, borrowed; empty when there is none
// or more than one. A key that may do one thing must not pass for one that may do another, so every chain is checked
// for them.
std::string_view common_name(Bytes name);
constexpr std::string_view kPckLeafName = "Intel SGX PCK Certificate";
constexpr std::string_view kPlatformCaName =
    "Intel SGX PCK Platform CA";  // machines with several packages: all with TDX
constexpr std::string_view kProcessorCaName = "Intel SGX PCK Processor CA";
constexpr std::string_view kTcbSigningName = "Intel SGX TCB Signing";

// 1.2.840.113741.1.13.1 as DER content.
constexpr std::array<uint8_t, 9> kSgxExtension{0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

}  // namespace cstl::tdx
