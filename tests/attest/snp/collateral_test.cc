#include "attest/snp/collateral.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "attest/snp/reference.h"
#include "crypto/base/fd.h"
#include "tests/harness/snp_platform.h"

using namespace cstl;
using namespace cstl::snp;
using namespace cstl::test;

namespace {
constexpr int64_t kNow = 1767225600;  // 2026-01-01

Der entry(uint8_t kind, const Der& bytes) {
  Der out{kind, 0, 0, static_cast<uint8_t>(bytes.size() >> 8), static_cast<uint8_t>(bytes.size())};
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

Der operator+(Der a, const Der& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Der table_entry(const char* guid, uint32_t offset, uint32_t length) {
  Der out(16);
  REQUIRE(from_hex(guid, out).ok());
  for (uint32_t value : {offset, length}) {
    for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<uint8_t>(value >> 8 * i));
  }
  return out;
}
constexpr const char* kVcekGuid = "63da758de6644564adc5f4b93be8accd";
constexpr const char* kVlekGuid = "a8074bc2a25a483eaae639c045a0b8a1";
constexpr const char* kAskGuid = "4ab7b379bbac4fe4a02f05aef327c782";
constexpr const char* kArkGuid = "c0b406a4a803495297433fb6014cd0ae";
constexpr const char* kEnd = "00000000000000000000000000000000";
}  // namespace

TEST_CASE("stapled collateral has one encoding, and its CRLs count") {
  Der one{1, 2, 3}, two{4, 5};
  Der both = entry(1, one) + entry(2, two);
  auto collateral = Collateral::decode(both);
  REQUIRE(collateral.ok());
  CHECK(equal(collateral->vcek_crl, one));
  CHECK(equal(collateral->vlek_crl, two));
  Der out(64);
  CHECK(equal(*collateral->encode(out), both));
  CHECK(collateral->crls().size() == 2);
  CHECK(Collateral::decode({})->crls().empty());
  CHECK(Collateral::decode(entry(2, two))->crls().size() == 1);
  for (const Der& bad :
       {entry(0, one), entry(3, one), entry(32, one), entry(1, one) + entry(1, one), entry(2, one) + entry(1, one),
        entry(1, {}), Der{1}, Der{1, 0, 0, 0, 2, 0}, Der{1, 0xff, 0, 0, 0}}) {
    CHECK(Collateral::decode(bad).code() == Code::snp_collateral_malformed);
  }
  for (size_t size = 1; size < both.size(); ++size) {
    bool whole = size == entry(1, one).size();
    CHECK(Collateral::decode(Bytes(both).first(size)).ok() == whole);
  }
}

TEST_CASE("the host's certificate table gives what evidence carries") {
  SnpChip chip(Product::milan);
  const std::vector<Der>& certificates = chip.certificates();
  uint32_t at = 24 * 5;
  Der table, body;
  const char* guids[] = {kVcekGuid, kAskGuid, kArkGuid};
  for (size_t i = 0; i < 3; ++i) {
    auto size = static_cast<uint32_t>(certificates[i].size());
    table = table + table_entry(guids[i], at, size);
    body = body + certificates[i];
    at += size;
  }
  table = table + table_entry("ecae0c0f950243b1afa20ae2e0d565b6", 0, 8) + table_entry(kEnd, 0, 0) + body;
  auto decoded = CertificateTable::decode(table);
  REQUIRE(decoded.ok());
  Der space(16384);
  auto items = decoded->evidence_items(Signer::vcek, space);
  REQUIRE(items.ok());
  CHECK(equal(*items, certificate_items(certificates)));
  auto list = certificate_list(*items);
  REQUIRE(list.ok());
  CHECK(list->size() == 3);
  CHECK(decoded->evidence_items(Signer::vlek, space).code() == Code::snp_certificate_missing);
  Der tiny(100);
  CHECK(decoded->evidence_items(Signer::vcek, tiny).code() == Code::too_long);
  CHECK(CertificateTable::decode(table_entry(kEnd, 0, 0))->vcek.empty());
  for (const Der& bad :
       {Der(), Der(23), table_entry(kVlekGuid, 0, 8), table_entry(kVlekGuid, 49, 0) + table_entry(kEnd, 0, 0),
        table_entry(kVlekGuid, 8, 0xffffffff) + table_entry(kEnd, 0, 0),
        table_entry(kVlekGuid, 0, 1) + table_entry(kVlekGuid, 0, 1) + table_entry(kEnd, 0, 0)}) {
    CHECK(CertificateTable::decode(bad).code() == Code::snp_collateral_malformed);
  }
}

TEST_CASE("lists of certificates are bounded") {
  Der one{0, 1, 7};
  CHECK(certificate_list({})->empty());
  CHECK(certificate_list(one)->size() == 1);
  CHECK(certificate_list(one + one + one + one + one + one)->size() == kMaxCertificates);
  CHECK(certificate_list(one + one + one + one + one + one + one).code() == Code::bad_certificate);
  CHECK(certificate_list(Der{0, 0}).code() == Code::bad_certificate);
  CHECK(certificate_list(Der{0, 2, 1}).code() == Code::bad_certificate);
  CHECK(certificate_list(Der{0xff, 0xff, 1}).code() == Code::bad_certificate);
}

TEST_CASE("a folder makes a bare report verify") {
  std::string folder = "/tmp/cstl-snp-collateral-" + std::to_string(getpid());
  REQUIRE(make_folders(folder).ok());
  SnpChip chip(Product::turin);
  const SnpAuthority& authority = SnpAuthority::of(Product::turin);
  Report report = chip.report();
  CHECK(read_collateral(folder, report, Product::turin).code() == Code::not_found);
  auto put = [&](const std::string& name, Bytes bytes) {
    REQUIRE(write_file_durably((folder + "/" + name).c_str(), bytes).ok());
  };
  put(chain_file(Product::turin, Signer::vcek), authority.chain_pem(Signer::vcek));
  auto files = read_collateral(folder, report, Product::turin);
  REQUIRE(files.ok());
  CHECK(files->leaf.empty());
  CHECK(files->crl.empty());
  CHECK(vcek_file(report.chip_id, report.reported_tcb) ==
        "vcek-" + to_hex(Bytes(report.chip_id).first(16)) + "-d500000016010401.der");
  put(vcek_file(report.chip_id, report.reported_tcb), chip.certificates()[0]);
  put(crl_file(Product::turin, Signer::vcek), to_pem(authority.crl({}, kNow - 1, kNow + 1), "X509 CRL"));
  files = read_collateral(folder, report, Product::turin);
  REQUIRE(files.ok());
  std::vector<Bytes> certificates{Bytes(files->leaf)};
  for (const auto& der : files->chain) certificates.push_back(Bytes(der));
  std::vector<Bytes> crls{Bytes(files->crl)};
  VerifyPolicy policy;
  policy.roots = snp_test_roots();
  policy.now = kNow;
  policy.crls = &crls;
  policy.crl_required = true;
  ReportStep step = ReportStep::form;
  CHECK(verify_report(chip.sign(report), certificates, policy, {}, step).ok());
  put(crl_file(Product::turin, Signer::vcek), Bytes("nonsense"));
  CHECK(read_collateral(folder, report, Product::turin).code() == Code::crl_malformed);
  for (const std::string& name : {chain_file(Product::turin, Signer::vcek), crl_file(Product::turin, Signer::vcek),
                                  vcek_file(report.chip_id, report.reported_tcb)}) {
    CHECK(unlink((folder + "/" + name).c_str()) == 0);
  }
  CHECK(rmdir(folder.c_str()) == 0);
}
