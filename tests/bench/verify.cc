// Verifications of vendors' evidence per second of CPU, by mbedTLS and by what is faster, with the signatures of chains
// remembered and not:   evidence_bench INPUTS
// INPUTS receives what was verified, for tests/bench/verify.go to do the same: blobs of u32 length (little endian) and bytes.
// AMD's real report and Intel's real quote ($CSTL_EVIDENCE); a made-up quote with collateral; quotes of a software TPM.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "attest/merkle.h"
#include "attest/roots.h"
#include "attest/snp/verify.h"
#include "attest/tdx/verify.h"
#include "attest/tpm/verify.h"
#include "crypto/base/fd.h"
#include "crypto/fast_verify.h"
#include "crypto/verified_signatures.h"
#include "crypto/x509.h"
#include "tests/harness/tdx_platform.h"

using namespace cstl;

namespace {
constexpr double kSeconds = 1;
constexpr int64_t kSnpTime = 1767225600, kTdxTime = 1687564800, kMadeAt = 1800000000;
constexpr size_t kRealQuote = 4935;  // the file goes on

using Buffer = std::vector<uint8_t>;

template <typename T>
T must(Result<T> result, const char* what) {
  if (!result.ok()) {
    std::fprintf(stderr, "evidence_bench: %s: %s\n", what, code_name(result.code()));
    std::exit(1);
  }
  return std::move(*result);
}

Buffer file(const std::string& path) { return must(read_file(path.c_str(), 1 << 20), path.c_str()); }

Buffer package(const std::string& path) {
  const char* prefix = std::getenv("CSTL_EVIDENCE");
  return file(std::string(prefix != nullptr ? prefix : "") + "/usr/share/gocode/src/github.com/google/" + path);
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename Work>
double per_second(Work work, bool remember) {
  size_t done = 0;
  double start = cpu_seconds(), spent = 0;
  while (spent < kSeconds) {
    for (int i = 0; i < 8; ++i, ++done) {
      if (!remember) VerifiedSignatures::of_this_thread().clear();
      if (Status one = work(); !one.ok()) {
        std::fprintf(stderr, "evidence_bench: %s at %s\n", code_name(one.code()), one.error().site);
        std::exit(1);
      }
    }
    spent = cpu_seconds() - start;
  }
  return static_cast<double>(done) / spent;
}

template <typename Work>
void row(const char* name, bool chains, Work work) {
  for (bool remember : {false, true}) {
    if (remember && !chains) continue;
    double slow = per_second(work, remember);
    FastVerification fast;
    const char* how = !chains ? "" : remember ? "chain remembered" : "chain not remembered";
    std::printf("%-24s %-22s mbedTLS %7.0f   fast %7.0f per CPU-second\n", name, how, slow, per_second(work, remember));
    std::fflush(stdout);
  }
}

void blob(FILE* out, Bytes bytes) {
  const auto n = static_cast<uint32_t>(bytes.size());
  for (int shift = 0; shift < 32; shift += 8) std::fputc(static_cast<int>(n >> shift & 0xff), out);
  if (n != 0 && std::fwrite(bytes.data(), 1, n, out) != n) std::exit(1);
}
}  // namespace

int main(int argc, char** argv) {
  FILE* out = argc == 2 ? std::fopen(argv[1], "wb") : nullptr;
  if (out == nullptr) return 2;

  Buffer report = package("go-sev-guest/verify/testdata/attestation.bin");
  std::vector<Buffer> amd{package("go-sev-guest/verify/testdata/vcek.testcer")};
  for (Buffer& der : must(certificates_from_file(package("go-sev-guest/verify/trust/ask_ark_milan.pem")), "AMD")) {
    amd.push_back(std::move(der));
  }
  std::vector<Bytes> certificates(amd.begin(), amd.end());
  snp::VerifyPolicy policy;
  policy.now = kSnpTime;
  row("SEV-SNP report", true, [&]() -> Status {
    snp::ReportStep step = snp::ReportStep::form;
    TRY(snp::verify_report(report, certificates, policy, {}, step));
    return success();
  });
  blob(out, report);
  blob(out, amd[0]);

  Buffer quote = package("go-tdx-guest/testing/testdata/tdx_prod_quote_SPR_E4.dat");
  quote.resize(kRealQuote);
  tdx::Trust intel{kIntelRoots.hashes, kIntelRoots.count, kTdxTime};
  row("TDX quote", true, [&]() -> Status {
    tdx::QuoteStep step = tdx::QuoteStep::form;
    TRY(tdx::verify_quote(quote, nullptr, intel, {}, step));
    return success();
  });
  blob(out, quote);

  auto platform = test::TdxPlatform::create();
  Buffer made = platform->quote(platform->report());
  tdx::CollateralFiles files = platform->collateral(kMadeAt);
  tdx::Trust own{&platform->root(), 1, kMadeAt};
  row("TDX quote, collateral", true, [&]() -> Status {
    tdx::QuoteStep step = tdx::QuoteStep::form;
    TRY_LET(tdx::VerifiedCollateral collateral, tdx::verify_collateral(files.view(), own, nullptr));
    TRY(tdx::verify_quote(made, &collateral, own, {}, step));
    return success();
  });
  blob(out, platform->root_certificate());
  blob(out, made);
  blob(out, files.tcb_info);
  blob(out, must(tdx::issuer_chain_to_pem(files.tcb_info_chain), "chain"));
  blob(out, files.qe_identity);
  blob(out, must(tdx::issuer_chain_to_pem(files.qe_identity_chain), "chain"));
  blob(out, files.pck_crl);
  blob(out, files.root_crl);

  Digest32 binding;  // 00 01 … 1f: what the quotes of tests/data/tpm were made for
  for (size_t i = 0; i < binding.size(); ++i) binding[i] = static_cast<uint8_t>(i);
  Buffer merkle = file("tests/data/tpm/merkle.bin"), pcrs = file("tests/data/tpm/pcrs.bin");
  MerklePath path = must(MerklePath::decode(merkle), "merkle");
  Digest32 qualifier = must(quote_qualifier(must(merkle_root_of(path, binding), "merkle")), "qualifier");
  for (const char* kind : {"ecc", "rsa-pkcs1"}) {
    std::string name = std::string("tests/data/tpm/") + kind;
    Buffer tpm_quote = file(name + ".quote"), signature = file(name + ".signature"), ak = file(name + ".public");
    Evidence evidence;
    evidence.quote = tpm_quote;
    evidence.signature = signature;
    evidence.ak_public = ak;
    evidence.pcr_values = pcrs;
    evidence.merkle = merkle;
    row(kind[0] == 'e' ? "TPM quote, ECC" : "TPM quote, RSA-2048", false, [&]() -> Status {
      tpm::QuoteStep step = tpm::QuoteStep::form;
      TRY(tpm::verify_quote(evidence, qualifier, {}, step));
      return success();
    });
    for (Bytes part : {Bytes(tpm_quote), Bytes(signature), Bytes(ak), Bytes(pcrs), Bytes(qualifier)}) blob(out, part);
  }
  return std::fclose(out) == 0 ? 0 : 1;
}
