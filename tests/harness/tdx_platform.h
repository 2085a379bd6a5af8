// A platform with Intel TDX that exists only in tests: root, PCK CA, PCK certificate, quoting enclave, TCB signing key,
// made at run time. Quotes and collateral that it signs pass the same verification as real ones, under its own root.
// What a test wants to be wrong, it sets in `facts` first.
//
//   auto platform = test::TdxPlatform::create();
//   tdx::TdReport report = platform->report();               // a sound TD; set rtmr, report_data, …
//   auto quote = platform->quote(report);                    // version 4; facts.version = 5 for the other
//   auto staple = platform->stapled(now);                    // evidence's tee_collateral
//   tdx::Trust trust{&platform->root(), 1, now};
//   auto collateral = tdx::verify_collateral(*tdx::Collateral::decode(staple), trust, nullptr);
//   auto verified = tdx::verify_quote(quote, &*collateral, trust, report.report_data, step);
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attest/tdx/collateral.h"
#include "crypto/sign.h"

namespace cstl::test {

struct TdxFacts {
  uint16_t version = 4;                    // of quotes; TD report 1.5 needs 5
  tdx::Fmspc fmspc{0x50, 0x80, 0x6f, 0, 0, 0};
  tdx::PceId pce_id{};
  std::array<uint8_t, 16> ppid{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  tdx::Components sgx_tcb{7, 7, 2, 2, 3, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0};
  uint16_t pce_svn = 11;
  int64_t not_before = 1'700'000'000;      // of every certificate
  int64_t not_after = 2'500'000'000;
  std::array<uint8_t, 16> qe_vendor_id{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
  uint16_t qe_isv_svn = 4;
  uint16_t qe_prod_id = 2;
  Digest32 qe_signer = tdx::kIntelQeSigner;
  uint8_t qe_attributes = 0x15;            // INIT, MODE64BIT, PROVISIONKEY
  std::vector<uint8_t> qe_auth_data = std::vector<uint8_t>(32, 0xa5);
  std::string_view leaf_name = "Intel SGX PCK Certificate";
  std::string_view ca_name = "Intel SGX PCK Platform CA";
  std::string_view signer_name = "Intel SGX TCB Signing";
  bool sgx_extension = true;               // in the PCK certificate

  // What the collateral says.
  int64_t issued = 0;                      // 0: a day before the time that is asked for
  int64_t next_update = 0;                 // 0: 29 days after it
  tdx::Fmspc tcb_info_fmspc{0x50, 0x80, 0x6f, 0, 0, 0};
  tdx::Components tcb_sgx{7, 7, 2, 2, 3, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0};   // of the best level
  tdx::Components tcb_tdx{5, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  uint16_t tcb_pce_svn = 11;
  std::string tcb_status = "UpToDate";     // of that level
  std::string module_status = "UpToDate";  // of TDX_01 with isvsvn 5; below that: OutOfDate
  std::string qe_status = "UpToDate";      // of the identity's level with isvsvn 4; below: OutOfDate
  Digest48 module_signer{};
  uint32_t evaluation = 17;
  bool revoke_leaf = false, revoke_ca = false, revoke_signer = false;
};

class TdxPlatform {
 public:
  // The same seed has the same keys, so that two of one seed differ only in their facts.
  static std::unique_ptr<TdxPlatform> create(uint8_t seed = 1);

  TdxFacts facts;

  const Digest32& root() const { return root_hash_; }  // of its SubjectPublicKeyInfo
  // A TD without debug, with SEPT_VE_DISABLE, on an up-to-date TDX module of version 1.
  tdx::TdReport report() const;
  std::vector<uint8_t> quote(const tdx::TdReport& report) const;
  tdx::CollateralFiles collateral(int64_t now) const;
  std::vector<uint8_t> stapled(int64_t now) const;
  std::string pck_chain() const;           // PEM
  std::vector<uint8_t> root_certificate() const;

 private:
  TdxPlatform() = default;
  std::vector<uint8_t> certificate(std::string_view subject, const SigningKey& key, std::string_view issuer,
                                   const SigningKey& issuer_key, uint8_t serial, bool authority,
                                   const std::vector<uint8_t>& extra) const;
  std::vector<uint8_t> list(std::string_view issuer, const SigningKey& key, int64_t now,
                            const std::vector<uint8_t>& serials) const;
  std::vector<uint8_t> signed_answer(const std::string& name, const std::string& object) const;
  std::string tcb_info(int64_t now) const;
  std::string qe_identity(int64_t now) const;
  std::optional<SigningKey> root_, ca_, pck_, signer_, attestation_;
  Digest32 root_hash_{};
};

}  // namespace cstl::test
