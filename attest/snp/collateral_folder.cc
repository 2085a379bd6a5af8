#include "attest/snp/collateral.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"

namespace cstl::snp {

namespace {
constexpr size_t kChipDigits = 16;  // bytes of a chip id in a name: as good as all 64, and file systems like it
constexpr size_t kMaxChainFile = 16 * 1024;

std::string prefix(Product product, Signer signer) {
  std::string name = product_name(product);
  name[0] = static_cast<char>(name[0] | 0x20);
  return name + (signer == Signer::vlek ? "-vlek" : "-vcek");
}

// Empty if there is none.
Result<std::vector<uint8_t>> read_if_there(const std::string& path, size_t max) {
  auto file = read_file(path.c_str(), max);
  if (!file.ok() && file.code() == Code::not_found) return std::vector<uint8_t>();
  return file;
}
}  // namespace

std::string chain_file(Product product, Signer signer) { return prefix(product, signer) + "-chain.pem"; }
std::string crl_file(Product product, Signer signer) { return prefix(product, signer) + ".crl"; }

std::string vcek_file(const ChipId& chip, uint64_t tcb) {
  std::array<uint8_t, 8> big{};
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<uint8_t>(tcb >> 8 * (big.size() - 1 - i));
  return "vcek-" + to_hex(Bytes(chip).first(kChipDigits)) + "-" + to_hex(big) + ".der";
}

Result<CollateralFiles> read_collateral(const std::string& folder, const Report& report, Product product) {
  const Signer signer = report.signing_key;
  CollateralFiles out;
  TRY_LET(std::vector<uint8_t> chain, read_file((folder + "/" + chain_file(product, signer)).c_str(), kMaxChainFile));
  TRY_LET(out.chain, certificates_from_file(chain));
  TRY_LET(std::vector<uint8_t> crl, read_if_there(folder + "/" + crl_file(product, signer), 2 * kMaxCollateralCrl));
  if (!crl.empty()) {
    TRY_LET(out.crl, crl_from_file(crl));
  }
  if (signer != Signer::vcek || report.chip_masked()) return out;
  TRY_LET(out.leaf, read_if_there(folder + "/" + vcek_file(report.chip_id, report.reported_tcb), kMaxCertificate));
  return out;
}

}  // namespace cstl::snp
