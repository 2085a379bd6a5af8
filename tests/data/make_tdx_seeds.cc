// Writes the seeds of the fuzz targets about TDX, made by the test hierarchy: make_tdx_seeds FUZZ_CORPUS_FOLDER
#include <cstdio>
#include <cstdlib>

#include "attest/tdx/verify.h"
#include "crypto/base/fd.h"
#include "crypto/certificate.h"
#include "tests/harness/tdx_platform.h"

using namespace cstl;
using namespace cstl::tdx;
using namespace cstl::test;

namespace {
constexpr int64_t kMadeAt = 1'800'000'000;

void write(const std::string& path, Bytes bytes) {
  if (!write_file_durably(path.c_str(), bytes, 0644).ok()) {
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
    std::exit(1);
  }
}

void put(std::vector<uint8_t>& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

// The smallest image: one page that is measured, one that is not, the metadata, the table, the reset vector.
std::vector<uint8_t> firmware() {
  std::vector<uint8_t> out(4096);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(i >> 4);
  std::vector<uint8_t> tail;
  for (char c : std::string_view("TDVF")) tail.push_back(static_cast<uint8_t>(c));
  put(tail, 16 + 2 * 32, 4);
  put(tail, 1, 4);
  put(tail, 2, 4);
  for (uint64_t i = 0; i < 2; ++i) {
    put(tail, 0, 4);
    put(tail, i == 0 ? 4096 : 0, 4);
    put(tail, 0xfffff000 - i * 4096, 8);
    put(tail, 4096, 8);
    put(tail, i == 0 ? 0 : 3, 4);
    put(tail, i == 0 ? 1 : 0, 4);
  }
  constexpr std::array<uint8_t, 16> kMetadata{0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                              0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};
  constexpr std::array<uint8_t, 16> kFooter{0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                            0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
  const size_t whole = tail.size() + 22 + 18 + 32;
  put(tail, whole, 4);
  put(tail, 22, 2);
  tail.insert(tail.end(), kMetadata.begin(), kMetadata.end());
  put(tail, 22 + 18, 2);
  tail.insert(tail.end(), kFooter.begin(), kFooter.end());
  tail.resize(whole, 0x90);
  std::copy(tail.begin(), tail.end(), out.end() - static_cast<long>(whole));
  return out;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  const std::string folder = argv[1];
  auto platform = TdxPlatform::create();
  TdReport report = platform->report();
  write(folder + "/tdx_quote/version4", platform->quote(report));
  platform->facts.version = 5;
  write(folder + "/tdx_quote/version5-report10", platform->quote(report));
  report.is_15 = true;
  write(folder + "/tdx_quote/version5-report15", platform->quote(report));
  platform->facts.sgx_extension = false;
  platform->facts.ca_name = kProcessorCaName;
  write(folder + "/tdx_quote/processor-ca", platform->quote(report));

  platform = TdxPlatform::create();
  CollateralFiles files = platform->collateral(kMadeAt);
  write(folder + "/tdx_collateral/staple", platform->stapled(kMadeAt));
  write(folder + "/tdx_collateral/tcb-info", files.tcb_info);
  write(folder + "/tdx_collateral/qe-identity", files.qe_identity);
  write(folder + "/tdx_collateral/tcb-info-object", signed_object(files.tcb_info, "tcbInfo")->object);
  write(folder + "/tdx_collateral/qe-identity-object", signed_object(files.qe_identity, "enclaveIdentity")->object);

  auto chain = PckChain::decode(platform->pck_chain());
  auto leaf = CertificateView::parse(chain->leaf);
  write(folder + "/pck_extensions/chain.pem", platform->pck_chain());
  write(folder + "/pck_extensions/extension", *leaf->extension(kSgxExtension));
  write(folder + "/pck_extensions/name", leaf->subject);
  write(folder + "/tdx_metadata/small.fd", firmware());
  return 0;
}
