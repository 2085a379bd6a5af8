// Intel's service is a local HTTPS server with the answers of a made-up platform (tests/harness/tdx_platform.h).
#include "attest/tdx/pcs.h"

#include <doctest/doctest.h>

#include "tests/harness/tdx_platform.h"
#include "tests/harness/vendor_service.h"

using namespace cstl;
using namespace cstl::tdx;
using namespace cstl::test;

namespace {
constexpr int64_t kMadeAt = 1'800'000'000;
constexpr int64_t kDay = 86400;

// As PCS sends it.
std::string percent_encoded(const std::string& pem) {
  std::string out;
  for (char c : pem) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    std::array<uint8_t, 1> byte{static_cast<uint8_t>(c)};
    out += plain ? std::string(1, c) : "%" + to_hex(byte);
  }
  return out;
}

struct Rig {
  VendorService service;
  std::unique_ptr<TdxPlatform> platform = TdxPlatform::create();
  std::vector<uint8_t> quote = platform->quote(platform->report());
  PcsClient client;
  std::string problem;

  Rig() {
    client.https = service.policy();
    client.folder = service.folder + "/cache";
    client.roots = {&platform->root(), 1};
    at("files");
  }

  void at(const std::string& path) {
    client.base = service.base(path);
    client.root_crl_url = client.base + "/IntelSGXRootCA.der";
  }
  void serve(const std::string& url, Bytes body, const std::string& header = "") {
    service.serve(client.base, url, body, header);
  }
  void serve_all(int64_t now) {
    CollateralFiles files = platform->collateral(now);
    std::string chain = percent_encoded(*issuer_chain_to_pem(files.tcb_info_chain));
    serve(tcb_info_url(client.base, platform->facts.fmspc), files.tcb_info, "TCB-Info-Issuer-Chain: " + chain);
    serve(qe_identity_url(client.base), files.qe_identity, "SGX-Enclave-Identity-Issuer-Chain: " + chain);
    serve(pck_crl_url(client.base, "platform"), files.pck_crl);
    serve(client.root_crl_url, files.root_crl);
  }
  void offline() { client.https.ca_pem.clear(); }
  Result<CollateralFiles> obtain(int64_t now = kMadeAt) {
    return obtain_collateral(client, *Quote::decode(quote), now, &problem);
  }
  Code verified(int64_t now) {
    auto files = obtain(now);
    if (!files.ok()) return files.code();
    const Trust trust{client.roots.hashes, client.roots.count, now};
    auto collateral = verify_collateral(files->view(), trust, nullptr);
    if (!collateral.ok()) return collateral.code();
    QuoteStep step = QuoteStep::form;
    return verify_quote(quote, &*collateral, trust, {}, step).code();
  }
};
}  // namespace

TEST_CASE("tdx.pcs: the URLs are Intel's") {
  CHECK(tcb_info_url(kPcs, Fmspc{0x50, 0x80, 0x6f}) ==
        "https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=50806f000000");
  CHECK(qe_identity_url(kPcs) == "https://api.trustedservices.intel.com/tdx/certification/v4/qe/identity");
  CHECK(pck_crl_url(kPcs, "platform") ==
        "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
}

TEST_CASE("tdx.pcs: collateral is fetched once, and then needs no network until it expires") {
  Rig rig;
  rig.serve_all(kMadeAt);
  Code first = rig.verified(kMadeAt);
  CHECK_MESSAGE(first == Code::ok, std::string(code_name(first)), " ", rig.problem);
  rig.offline();
  CHECK(rig.verified(kMadeAt) == Code::ok);
  CHECK(rig.verified(kMadeAt + 28 * kDay) == Code::ok);
  Code expired = rig.verified(kMadeAt + 30 * kDay);
  CHECK_MESSAGE(expired == Code::crl_expired, std::string(code_name(expired)));
}

TEST_CASE("tdx.pcs: in its last quarter it is renewed; the old one serves while the service is away") {
  Rig rig;
  rig.serve_all(kMadeAt);
  REQUIRE(rig.verified(kMadeAt) == Code::ok);
  const int64_t late = kMadeAt + 25 * kDay;
  rig.at("nothing");
  CHECK(rig.verified(late) == Code::ok);
  rig.at("files");
  rig.serve_all(late);
  CHECK(rig.verified(late) == Code::ok);
  rig.offline();
  CHECK(rig.verified(kMadeAt + 40 * kDay) == Code::ok);
}

TEST_CASE("tdx.pcs: what the service or the folder gives is not believed") {
  Rig rig;
  rig.serve_all(kMadeAt);
  auto other = TdxPlatform::create(2);
  rig.serve(pck_crl_url(rig.client.base, "platform"), other->collateral(kMadeAt).pck_crl);
  CHECK(rig.obtain().code() == Code::crl_signature);
  rig.serve_all(kMadeAt);
  rig.platform->facts.fmspc[1] ^= 1;  // another platform's TCB info under this one's address
  rig.quote = rig.platform->quote(rig.platform->report());
  rig.serve_all(kMadeAt);
  CHECK(rig.obtain().code() == Code::tdx_tcb_info_mismatch);
  rig.platform->facts.fmspc[1] ^= 1;
  rig.quote = rig.platform->quote(rig.platform->report());
  CHECK_FALSE(std::filesystem::exists(rig.client.folder));

  rig.serve_all(kMadeAt);
  REQUIRE(rig.verified(kMadeAt) == Code::ok);
  const std::string kept = rig.client.folder + "/tcb-info-" + to_hex(rig.platform->facts.fmspc) + ".json";
  auto text = read_file(kept.c_str(), 65536);
  REQUIRE(text.ok());
  (*text)[100] ^= 1;
  REQUIRE(write_file_durably(kept.c_str(), *text).ok());
  CHECK(rig.verified(kMadeAt) == Code::ok);  // fetched again
  REQUIRE(write_file_durably(kept.c_str(), *text).ok());
  rig.offline();
  CHECK(rig.verified(kMadeAt) == Code::tdx_collateral_signature);
}

TEST_CASE("tdx.pcs: a service that is away, or answers nonsense, has its own code") {
  Rig rig;
  rig.at("nothing");
  CHECK(rig.obtain().code() == Code::collateral_unreachable);
  CHECK_FALSE(rig.problem.empty());
  rig.at("html");
  CHECK(rig.obtain().code() == Code::tdx_collateral_malformed);  // no issuer chain in the headers
  rig.at("files");
  CHECK(rig.obtain().code() != Code::ok);
  rig.offline();
  CHECK(rig.obtain().code() == Code::not_found);
}

TEST_CASE("tdx.pcs: the header's chain is percent-encoded PEM, whole") {
  auto platform = TdxPlatform::create();
  std::string pem = *issuer_chain_to_pem(platform->collateral(kMadeAt).tcb_info_chain);
  std::string header = percent_encoded(pem);
  REQUIRE(issuer_chain_of_header(header).ok());
  CHECK(*issuer_chain_of_header(header) == platform->collateral(kMadeAt).tcb_info_chain);
  for (std::string bad : {std::string(), header.substr(0, header.size() - 1), header + "%", header + "%0",
                          header + "%zz", header + header, pem.substr(1)}) {
    CHECK(issuer_chain_of_header(bad).code() == Code::tdx_collateral_malformed);
  }
}
