// The key service is a local HTTPS server with the answers of a made-up AMD (tests/harness/snp_platform.h).
#include "attest/snp/kds.h"

#include <doctest/doctest.h>

#include "tests/harness/snp_platform.h"
#include "tests/harness/vendor_service.h"

using namespace cstl;
using namespace cstl::snp;
using namespace cstl::test;

namespace {
constexpr int64_t kNow = 1767225600;  // 2026-01-01
constexpr int64_t kDay = 86400;

struct Rig {
  VendorService service;
  KdsClient client;
  std::string problem;

  Rig() {
    client.https = service.policy();
    client.folder = service.folder + "/cache";
    client.roots = snp_test_roots();
    at("files");
  }

  void at(const std::string& path) { client.base = service.base(path); }
  void serve(const std::string& url, Bytes body) { service.serve(client.base, url, body); }
  void serve_all(const SnpChip& chip, Product product, const Der& crl) {
    const SnpAuthority& authority = SnpAuthority::of(product);
    for (Signer signer : {Signer::vcek, Signer::vlek}) {
      serve(chain_url(client.base, product, signer), authority.chain_pem(signer));
      serve(crl_url(client.base, product, signer), crl);
    }
    Report report = chip.report();
    serve(vcek_url(client.base, product, report.chip_id, report.reported_tcb), chip.certificates()[0]);
  }
  void offline() { client.https.ca_pem.clear(); }
  Result<CollateralFiles> obtain(const Report& report, int64_t now = kNow, Product product = Product::unknown) {
    return obtain_collateral(client, report, product, now, &problem);
  }
};
}  // namespace

TEST_CASE("the key service's URLs are AMD's") {
  ChipId chip{0x6b, 0xb1, 0x22, 0x9b, 0x76, 0x92, 0xb7, 0x10};
  CHECK(vcek_url(kKds, Product::turin, chip, 0x5200000004010101) ==
        "https://kdsintf.amd.com/vcek/v1/Turin/6bb1229b7692b710?fmcSPL=1&blSPL=1&teeSPL=1&snpSPL=4&ucodeSPL=82");
  CHECK(vcek_url(kKds, Product::milan, chip, 0x4405000000000002) ==
        "https://kdsintf.amd.com/vcek/v1/Milan/" + to_hex(chip) + "?blSPL=2&teeSPL=0&snpSPL=5&ucodeSPL=68");
  CHECK(chain_url(kKds, Product::genoa, Signer::vcek) == "https://kdsintf.amd.com/vcek/v1/Genoa/cert_chain");
  CHECK(chain_url(kKds, Product::genoa, Signer::vlek) == "https://kdsintf.amd.com/vlek/v1/Genoa/cert_chain");
  CHECK(crl_url(kKds, Product::turin, Signer::vlek) == "https://kdsintf.amd.com/vlek/v1/Turin/crl");
}

TEST_CASE("collateral is fetched once, and then needs no network until the list expires") {
  Rig rig;
  for (Product product : {Product::genoa, Product::turin}) {
    SnpChip chip(product);
    rig.at("files");
    rig.serve_all(chip, product, SnpAuthority::of(product).crl({}, kNow - kDay, kNow + 8 * kDay));
    auto files = rig.obtain(chip.report());
    INFO(rig.problem);
    REQUIRE(files.ok());
    CHECK(equal(files->leaf, chip.certificates()[0]));
    CHECK(files->chain.size() == 2);

    std::vector<uint8_t> ca = rig.client.https.ca_pem;
    rig.offline();
    files = rig.obtain(chip.report());
    REQUIRE(files.ok());
    std::vector<Bytes> certificates{Bytes(files->leaf), Bytes(files->chain[0]), Bytes(files->chain[1])};
    std::vector<Bytes> crls{Bytes(files->crl)};
    VerifyPolicy policy;
    policy.roots = snp_test_roots();
    policy.now = kNow;
    policy.crls = &crls;
    policy.crl_required = true;
    ReportStep step = ReportStep::form;
    CHECK(verify_report(chip.sign(chip.report()), certificates, policy, {}, step).ok());
    CHECK(rig.obtain(chip.report(), kNow + 7 * kDay).ok());
    CHECK(rig.obtain(chip.report(), kNow + 9 * kDay).code() == Code::not_found);
    CHECK(rig.problem.substr(0, 19) == "not in the folder: ");
    // Another TCB has another certificate.
    Report updated = chip.report();
    updated.reported_tcb += 1;
    CHECK(rig.obtain(updated).code() == Code::not_found);
    rig.client.https.ca_pem = ca;
  }
}

TEST_CASE("a provider's report needs chain and list only, a masked one no leaf") {
  Rig rig;
  SnpChip cloud(Product::milan, Signer::vlek), chip(Product::milan);
  rig.serve_all(chip, Product::milan, SnpAuthority::of(Product::milan).crl({}, kNow - kDay, kNow + kDay));
  auto files = rig.obtain(cloud.report());
  REQUIRE(files.ok());
  CHECK(files->leaf.empty());
  CHECK(equal(files->chain[0], SnpAuthority::of(Product::milan).asvk));
  Report masked = chip.report();
  masked.chip_id = {};
  files = rig.obtain(masked);
  REQUIRE(files.ok());
  CHECK(files->leaf.empty());
  Report old = chip.report();
  old.version = 2;
  CHECK(rig.obtain(old).code() == Code::snp_product);
  CHECK(rig.obtain(old, kNow, Product::milan).ok());
}

TEST_CASE("a list near its end is fetched anew, and the old one serves if that fails") {
  Rig rig;
  SnpChip chip(Product::genoa);
  const SnpAuthority& authority = SnpAuthority::of(Product::genoa);
  Der old = authority.crl({}, kNow - 80, kNow + 20), fresh = authority.crl({1}, kNow, kNow + 1000);
  rig.serve_all(chip, Product::genoa, old);
  REQUIRE(rig.obtain(chip.report(), kNow - 70).ok());
  rig.at("status/503");
  auto files = rig.obtain(chip.report());
  REQUIRE(files.ok());
  CHECK(equal(files->crl, old));
  CHECK(rig.obtain(chip.report(), kNow + 30).code() == Code::collateral_unreachable);
  rig.at("files");
  rig.serve(crl_url(rig.client.base, Product::genoa, Signer::vcek), Bytes("rubbish"));
  files = rig.obtain(chip.report());
  REQUIRE(files.ok());
  CHECK(equal(files->crl, old));
  rig.serve(crl_url(rig.client.base, Product::genoa, Signer::vcek), fresh);
  files = rig.obtain(chip.report());
  REQUIRE(files.ok());
  CHECK(equal(files->crl, fresh));
}

TEST_CASE("what the network gives is verified before it is kept") {
  SnpChip chip(Product::genoa), other(Product::genoa);
  const SnpAuthority& authority = SnpAuthority::of(Product::genoa);
  const SnpAuthority& milan = SnpAuthority::of(Product::milan);
  Der crl = authority.crl({}, kNow - kDay, kNow + kDay);
  Report report = chip.report();
  struct Row {
    const char* what;
    int place;  // chain, list, leaf
    std::string answer;
    Code code;
  };
  auto text = [](const Der& der) { return std::string(der.begin(), der.end()); };
  SnpLeaf updated(Product::genoa);
  updated.hwid = Der(report.chip_id.begin(), report.chip_id.end());
  updated.tcb.snp = 23;
  const Row rows[] = {
      {"another product's chain", 0, milan.chain_pem(Signer::vcek), Code::snp_chain},
      {"no chain", 0, "<html>", Code::bad_certificate},
      {"half a chain", 0, to_pem(authority.ark, "CERTIFICATE"), Code::snp_chain},
      {"another product's list", 1, text(milan.crl({}, kNow - kDay, kNow + kDay)), Code::crl_signature},
      {"an old list", 1, text(authority.crl({}, kNow - 9, kNow - 1)), Code::crl_expired},
      {"another chip's certificate", 2, text(other.certificates()[0]), Code::snp_chip_id},
      {"another TCB's certificate", 2, text(SnpChip(updated).certificates()[0]), Code::snp_tcb_mismatch},
      {"no certificate", 2, "{}", Code::bad_certificate},
      {"too much", 2, std::string(10000, 'x'), Code::too_long},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    Rig rig;
    rig.serve_all(chip, Product::genoa, crl);
    const std::string urls[] = {chain_url(rig.client.base, Product::genoa, Signer::vcek),
                                crl_url(rig.client.base, Product::genoa, Signer::vcek),
                                vcek_url(rig.client.base, Product::genoa, report.chip_id, report.reported_tcb)};
    rig.serve(urls[row.place], row.answer);
    CHECK(code_name(rig.obtain(report).code()) == std::string(code_name(row.code)));
    CHECK(std::filesystem::exists(rig.client.folder + "/" + chain_file(Product::genoa, Signer::vcek)) ==
          (row.place > 0));
    CHECK(std::filesystem::exists(rig.client.folder + "/" + crl_file(Product::genoa, Signer::vcek)) == (row.place > 1));
    CHECK_FALSE(std::filesystem::exists(rig.client.folder + "/" + vcek_file(report.chip_id, report.reported_tcb)));
    rig.serve_all(chip, Product::genoa, crl);
    CHECK(rig.obtain(report).ok());
    // A spoilt cache is fetched anew.
    for (const std::string& name : {chain_file(Product::genoa, Signer::vcek), crl_file(Product::genoa, Signer::vcek),
                                    vcek_file(report.chip_id, report.reported_tcb)}) {
      REQUIRE(write_file_durably((rig.client.folder + "/" + name).c_str(), Bytes("spoilt")).ok());
      CHECK(rig.obtain(report).ok());
    }
  }
}

TEST_CASE("an HTTPS client that is polite, and gives up") {
  Rig rig;
  Der content{1, 2, 3};
  rig.serve(rig.client.base + "/it", content);
  rig.at("flaky");
  auto answer = https_get(rig.client.base + "/it", 100, rig.client.https, &rig.problem);
  REQUIRE(answer.ok());
  CHECK(answer->body == content);
  CHECK(answer->header("content-length") == "3");
  CHECK(answer->header("content-lengt") == "");
  struct Row {
    const char* path;
    Code code;
    Origin origin;
  };
  for (const Row& row : {Row{"status/404", Code::collateral_unreachable, Origin::http},
                         Row{"status/500", Code::collateral_unreachable, Origin::http},
                         Row{"nothing", Code::collateral_unreachable, Origin::curl},
                         Row{"garbage", Code::collateral_unreachable, Origin::curl},
                         Row{"loop/x", Code::collateral_unreachable, Origin::curl},
                         Row{"downgrade/it", Code::collateral_unreachable, Origin::curl},
                         Row{"tofile", Code::collateral_unreachable, Origin::curl},
                         Row{"huge", Code::too_long, Origin::cstl}}) {
    INFO(row.path);
    rig.at(row.path);
    auto failed = https_get(rig.client.base, 100000, rig.client.https, &rig.problem);
    CHECK(failed.code() == row.code);
    CHECK(failed.error().origin == row.origin);
  }
  HttpsPolicy other = rig.client.https;
  make_certificate(rig.service.folder, "other", "", "", "/CN=other");
  auto ca = read_file((rig.service.folder + "/other.crt").c_str(), 65536);
  ca->push_back(0);
  other.ca_pem = *ca;
  rig.at("files/it");
  CHECK(https_get(rig.client.base, 100, other, nullptr).code() == Code::collateral_unreachable);
  CHECK(https_get("http://127.0.0.1:" + (*rig.service.server)["plain"] + "/files/it", 100, rig.client.https, nullptr).code() ==
        Code::collateral_unreachable);
}
