// Intel's Provisioning Certification Service (PCS API, version 4), and a cache of what it gave: a folder as
// read_collateral() reads it. Whatever comes from the network or the folder is verified before it is used, and what
// comes from the network before it is kept. Once the folder holds what a fleet needs, no network is needed until it
// expires.
#pragma once

#include "attest/fetch/https.h"
#include "attest/roots.h"
#include "attest/tdx/verify.h"

namespace cstl::tdx {

constexpr const char* kPcs = "https://api.trustedservices.intel.com";
constexpr const char* kRootCrlUrl = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

std::string tcb_info_url(const std::string& base, const Fmspc& fmspc);
std::string qe_identity_url(const std::string& base);
std::string pck_crl_url(const std::string& base, std::string_view ca);

struct PcsClient {
  std::string base = kPcs;
  std::string root_crl_url = kRootCrlUrl;
  std::string folder;                    // the cache; made if it is missing
  HttpsPolicy https;                     // without ca_pem: nothing is fetched
  Roots roots = kIntelRoots;
};

// What a header of PCS holds: percent-encoded PEM. Errors: tdx_collateral_malformed.
Result<std::vector<uint8_t>> issuer_chain_of_header(std::string_view header);

// What verification of `quote` needs. From the folder; fetched if that lacks it, if it does not verify at `now`, or if
// it is in the last quarter of its time: then the old one serves if the service does not answer. `problem` (may be
// null) gets words. Errors: collateral_unreachable, not_found (no network is allowed and the folder lacks it), those of
// verify_collateral(), of PckChain and PckExtensions, and of files.
Result<CollateralFiles> obtain_collateral(const PcsClient& client, const Quote& quote, int64_t now,
                                          std::string* problem);

}  // namespace cstl::tdx
