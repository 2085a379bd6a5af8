// AMD's key distribution service (57230, VCEK certificate and KDS interface specification, chapter 4), and a cache of
// what it gave: a folder as read_collateral() reads it. Whatever comes from the network or the folder is verified
// before it is used, and what comes from the network before it is kept. Once the folder holds what a fleet needs, no
// network is needed until the revocation list expires.
#pragma once

#include "attest/fetch/https.h"
#include "attest/snp/collateral.h"

namespace cstl::snp {

constexpr const char* kKds = "https://kdsintf.amd.com";

std::string chain_url(const std::string& base, Product product, Signer signer);
std::string crl_url(const std::string& base, Product product, Signer signer);
// On Turin the id is 8 bytes, and the levels have an FMC.
std::string vcek_url(const std::string& base, Product product, const ChipId& chip, uint64_t tcb);

struct KdsClient {
  std::string base = kKds;
  std::string folder;                    // the cache; made if it is missing
  HttpsPolicy https;                     // without ca_pem: nothing is fetched
  ProductRoots roots = amd_roots();
};

// What verification of `report` needs: chain, revocation list, and a VCEK's certificate; the report's own processor is
// `product` if its version does not tell. From the folder; fetched if missing, expired, or, for the list, in the last
// quarter of its time: then the old one serves if the service does not answer. A VLEK's certificate is the provider's
// to give: `leaf` stays empty. `problem` (may be null) gets words. Errors: collateral_unreachable, not_found (no
// network is allowed and the folder lacks something), snp_product (not known), snp_chain, snp_chip_id,
// snp_tcb_mismatch, crl_*, and other errors of certificates and files.
Result<CollateralFiles> obtain_collateral(const KdsClient& client, const Report& report, Product product, int64_t now,
                                          std::string* problem);

}  // namespace cstl::snp
