// The production quote and its collateral of Debian's golang-github-google-go-tdx-guest-dev, read from $CSTL_EVIDENCE
// (tools/deps/evidence.sh). The folder keeps PCS's answers without their headers, so the issuer chain of TCB info and
// QE identity is taken from the package's test program, where it stands percent-encoded as the service sends it.
#pragma once

#include <cstdlib>

#include "attest/tdx/verify.h"
#include "tests/attest/vectors.h"

namespace cstl::test {

constexpr int64_t kRealTime = 1687564800;  // 2023-06-24T00:00:00Z: the quote's collateral was current
constexpr size_t kRealQuoteSize = 4935;    // the file goes on with a sentence for tests of parsers

inline std::string evidence_path(const std::string& path) {
  const char* prefix = std::getenv("CSTL_EVIDENCE");
  return std::string(prefix != nullptr ? prefix : "") + "/usr/share/gocode/src/github.com/google/" + path;
}

inline Buffer real(const std::string& path) {
  Result<Buffer> data = read_file(evidence_path(path).c_str(), size_t{4} << 20);
  REQUIRE_MESSAGE(data.ok(), "$CSTL_EVIDENCE lacks ", path);
  return data.ok() ? *data : Buffer();
}

inline Buffer real_tdx(const std::string& name) { return real("go-tdx-guest/testing/testdata/" + name); }

inline Buffer real_quote() {
  Buffer quote = real_tdx("tdx_prod_quote_SPR_E4.dat");
  quote.resize(kRealQuoteSize);
  return quote;
}

// The value of a response header that the package's test program spells out.
Buffer real_issuer_chain(const std::string& header);
tdx::CollateralFiles real_collateral();
tdx::Trust intel(int64_t now = kRealTime);

}  // namespace cstl::test
