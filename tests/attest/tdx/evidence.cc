#include "tests/attest/tdx/evidence.h"

#include "attest/roots.h"

namespace cstl::test {

namespace {
// Percent-encoding of RFC 3986, 2.1; the text is a trusted file of a package.
std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    std::array<uint8_t, 1> byte{};
    if (text[i] == '%' && from_hex(text.substr(i + 1, 2), byte).ok()) {
      out += static_cast<char>(byte[0]);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}
}  // namespace

// The variable that holds the header's value, then its first quoted string.
Buffer real_issuer_chain(const std::string& variable) {
  Buffer source = real("go-tdx-guest/testing/test_cases.go");
  std::string_view text = Bytes(source).text();
  size_t at = text.find("var " + variable + " = ");
  size_t from = text.find('"', at);
  size_t end = text.find('"', from + 1);
  REQUIRE(at != std::string_view::npos);
  REQUIRE(end != std::string_view::npos);
  return Bytes(decoded(text.substr(from + 1, end - from - 1))).copy();
}

tdx::CollateralFiles real_collateral() {
  tdx::CollateralFiles out;
  out.tcb_info = real_tdx("sample_tcbInfo_response");
  REQUIRE(out.tcb_info.back() == '\n');  // someone's editor added it
  out.tcb_info.pop_back();
  out.qe_identity = real_tdx("sample_qeIdentity_response");
  auto chain = tdx::issuer_chain_of_pem(real_issuer_chain("tcbInfoIssuerChain"));
  REQUIRE(chain.ok());
  out.tcb_info_chain = *chain;
  auto identity_chain = tdx::issuer_chain_of_pem(real_issuer_chain("qeIdentityIssuerChain"));
  REQUIRE(identity_chain.ok());
  out.qe_identity_chain = *identity_chain;
  out.pck_crl = real_tdx("pckcrl");
  out.root_crl = real_tdx("rootcrl.der");
  return out;
}

tdx::Trust intel(int64_t now) { return {kIntelRoots.hashes, kIntelRoots.count, now}; }

}  // namespace cstl::test
