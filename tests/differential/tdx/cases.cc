// Makes inputs of TDX verification, verifies them, and writes both down for another verifier to do the same:
//   tdx_cases CASES VERDICTS
// CASES: the root of a made-up Intel; then per case u8 root (0 Intel's, 1 made-up), u8 whether collateral follows, i64
// time (little endian), quote; collateral is TCB info, its issuer chain as PCS's header has it, QE identity, its chain,
// PCK CRL, root CRL; each blob u32 length and bytes. VERDICTS: a line per case, "ok" or the code's name, then the
// difference that is expected (below), then what the case is. Ours is "ok" when a reference set with nothing but
// defaults accepts the TCB too. The same seeds give the same mutations in every run.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "attest/roots.h"
#include "attest/tdx/verify.h"
#include "crypto/base/fd.h"
#include "tests/harness/tdx_platform.h"

using namespace cstl;
using namespace cstl::tdx;
using namespace cstl::test;

namespace {
constexpr int64_t kRealNow = 1687564800;  // 2023-06-24
constexpr int64_t kMadeAt = 1'800'000'000;
constexpr int64_t kDay = 86400;
constexpr size_t kRealQuote = 4935;       // the file goes on

// Where the verifiers are known to differ, and why we do as we do. "must": every such case differs.
constexpr const char* kSame = "-";
// go-tdx-guest 0.3 reads version 4 only.
constexpr const char* kVersion5 = "must:version-5";
// It keeps what follows a quote as extra bytes.
constexpr const char* kTrailing = "must:trailing";
// It knows Intel's CA for machines with several packages only.
constexpr const char* kProcessorCa = "must:processor-ca";
// It never asks whether collateral is of the future.
constexpr const char* kFuture = "must:future";
// It takes white space and unused bits in PEM, and text around it. Nothing signs the text of a chain, so we take one
// form.
constexpr const char* kPem = "may:pem-text";
// It takes any spelling of the JSON around a signed object: case of names and of hexadecimal digits, white space,
// order.
constexpr const char* kAnswer = "may:answer-text";

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "tdx_cases: %s\n", what);
  std::exit(1);
}
template <typename T>
T must(Result<T> result, const char* what) {
  if (!result.ok()) give_up(what);
  return std::move(*result);
}
using Buffer = std::vector<uint8_t>;

Buffer evidence(const std::string& name) {
  const char* prefix = std::getenv("CSTL_EVIDENCE");
  if (prefix == nullptr) give_up("$CSTL_EVIDENCE is not set");
  std::string path =
      std::string(prefix) + "/usr/share/gocode/src/github.com/google/go-tdx-guest/testing/testdata/" + name;
  return must(read_file(path.c_str(), 1 << 20), "the evidence lacks a file");
}

std::string percent_encoded(const std::string& pem) {
  std::string out;
  for (char c : pem) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    std::array<uint8_t, 1> byte{static_cast<uint8_t>(c)};
    out += plain ? std::string(1, c) : "%" + to_hex(byte);
  }
  return out;
}

class Cases {
 public:
  Cases(const char* cases, const char* verdicts, const TdxPlatform& platform)
      : cases_(std::fopen(cases, "wb")), verdicts_(std::fopen(verdicts, "w")), made_root_(platform.root()) {
    if (cases_ == nullptr || verdicts_ == nullptr) give_up("cannot write");
    blob(platform.root_certificate());
  }
  ~Cases() {
    if (std::fclose(cases_) != 0 || std::fclose(verdicts_) != 0) give_up("cannot write");
  }
  Cases(const Cases&) = delete;
  Cases& operator=(const Cases&) = delete;

  void add(bool made, const CollateralFiles* files, int64_t now, Bytes quote, const char* tag, const char* what) {
    number(made ? 1 : 0, 1);
    number(files != nullptr ? 1 : 0, 1);
    number(static_cast<uint64_t>(now), 8);
    blob(quote);
    if (files != nullptr) {
      blob(files->tcb_info);
      blob(header(files->tcb_info_chain));
      blob(files->qe_identity);
      blob(header(files->qe_identity_chain));
      blob(files->pck_crl);
      blob(files->root_crl);
    }
    Code code = judge(made, files, now, quote);
    std::fprintf(verdicts_, "%s %s %s\n", code_name(code), tag, what);
  }

 private:
  Code judge(bool made, const CollateralFiles* files, int64_t now, Bytes quote) const {
    Trust trust = made ? Trust{&made_root_, 1, now} : Trust{kIntelRoots.hashes, kIntelRoots.count, now};
    QuoteStep step = QuoteStep::form;
    if (files == nullptr) return verify_quote(quote, nullptr, trust, {}, step).code();
    auto collateral = verify_collateral(files->view(), trust, nullptr);
    if (!collateral.ok()) return collateral.code();
    auto verified = verify_quote(quote, &*collateral, trust, {}, step);
    if (!verified.ok()) return verified.code();
    return verified->tcb().status == TcbStatus::up_to_date ? Code::ok : Code::tdx_tcb_status;
  }
  // Chains that are mutated travel as they are: no PEM can say what they say.
  static Buffer header(const Buffer& list) {
    auto pem = issuer_chain_to_pem(list);
    return pem.ok() ? Bytes(percent_encoded(*pem)).copy() : Buffer();
  }
  void number(uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) std::fputc(static_cast<int>(value >> (8 * i) & 0xff), cases_);
  }
  void blob(Bytes bytes) {
    number(bytes.size(), 4);
    if (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), cases_) != bytes.size()) give_up("cannot write");
  }
  FILE* cases_;
  FILE* verdicts_;
  Digest32 made_root_;
};

// Where the PCK chain's text is: from there to the end.
size_t pem_at(const Buffer& quote) {
  auto parsed = must(Quote::decode(quote), "the quote does not parse");
  return static_cast<size_t>(parsed.pck_chain.begin() - quote.data());
}

void flip_every_byte(Cases& cases, bool made, int64_t now, const Buffer& quote, int first_bit, size_t step) {
  const size_t pem = pem_at(quote);
  for (size_t byte = 0; byte < quote.size(); byte += step) {
    Buffer changed = quote;
    changed[byte] ^= static_cast<uint8_t>(1u << ((static_cast<size_t>(first_bit) + byte * 3) % 8));
    cases.add(made, nullptr, now, changed, byte >= pem ? kPem : kSame, "bit");
  }
}

void cut(Cases& cases, bool made, int64_t now, const Buffer& quote, size_t step) {
  for (size_t size = 0; size < quote.size(); size += step)
    cases.add(made, nullptr, now, Bytes(quote).first(size), kSame, "cut");
  Buffer longer = quote;
  for (int i = 0; i < 8; ++i) {
    longer.push_back(static_cast<uint8_t>(i));
    cases.add(made, nullptr, now, longer, kTrailing, "longer");
  }
}

// Bytes set, swapped, copied over one another, in front of the chain's text.
void shuffle(Cases& cases, bool made, const CollateralFiles* files, int64_t now, const Buffer& quote, int count,
             uint32_t seed) {
  std::mt19937 random(seed);
  const size_t pem = pem_at(quote);
  for (int i = 0; i < count; ++i) {
    Buffer changed = quote;
    for (unsigned k = random() % 4 + 1; k > 0; --k) {
      size_t a = random() % pem, b = random() % pem;
      switch (random() % 3) {
        case 0: changed[a] = static_cast<uint8_t>(random()); break;
        case 1: std::swap(changed[a], changed[b]); break;
        default: std::copy_n(quote.begin() + static_cast<long>(b), std::min<size_t>(16, pem - std::max(a, b)),
                             changed.begin() + static_cast<long>(a));
      }
    }
    cases.add(made, files, now, changed, kSame, "shuffled");
  }
}

void facts(Cases& cases) {
  struct Row {
    const char* what;
    const char* tag;
    void (*change)(TdxFacts&, TdReport&);
  };
  const Row rows[] = {
      {"sound", kSame, [](TdxFacts&, TdReport&) {}},
      {"leaf-revoked", kSame, [](TdxFacts& f, TdReport&) { f.revoke_leaf = true; }},
      {"ca-revoked", kSame, [](TdxFacts& f, TdReport&) { f.revoke_ca = true; }},
      {"signer-revoked", kSame, [](TdxFacts& f, TdReport&) { f.revoke_signer = true; }},
      {"leaf-name", kSame, [](TdxFacts& f, TdReport&) { f.leaf_name = "Intel SGX TCB Signing"; }},
      {"signer-name", kSame, [](TdxFacts& f, TdReport&) { f.signer_name = "Intel SGX PCK Certificate"; }},
      {"processor-ca", kProcessorCa, [](TdxFacts& f, TdReport&) { f.ca_name = kProcessorCaName; }},
      {"no-extension", kSame, [](TdxFacts& f, TdReport&) { f.sgx_extension = false; }},
      {"fmspc", kSame, [](TdxFacts& f, TdReport&) { f.fmspc[5] = 1; }},
      {"pce-id", kSame, [](TdxFacts& f, TdReport&) { f.pce_id[1] = 1; }},
      {"version-5", kVersion5, [](TdxFacts& f, TdReport&) { f.version = 5; }},
      {"expired", kSame, [](TdxFacts& f, TdReport&) { f.next_update = kMadeAt - 1; }},
      {"future", kFuture, [](TdxFacts& f, TdReport&) { f.issued = kMadeAt + 1; }},
      {"certificates-expired", kSame, [](TdxFacts& f, TdReport&) { f.not_after = kMadeAt - 1; }},
      {"sw-hardening", kSame, [](TdxFacts& f, TdReport&) { f.tcb_status = "SWHardeningNeeded"; }},
      {"revoked", kSame, [](TdxFacts& f, TdReport&) { f.tcb_status = "Revoked"; }},
      {"unknown-status", kSame, [](TdxFacts& f, TdReport&) { f.tcb_status = "Fine"; }},
      {"module-status", kSame, [](TdxFacts& f, TdReport&) { f.module_status = "OutOfDate"; }},
      {"qe-status", kSame, [](TdxFacts& f, TdReport&) { f.qe_status = "OutOfDate"; }},
      {"qe-signer", kSame, [](TdxFacts& f, TdReport&) { f.qe_signer[31] = 1; }},
      {"qe-product", kSame, [](TdxFacts& f, TdReport&) { f.qe_prod_id = 1; }},
      {"qe-old", kSame, [](TdxFacts& f, TdReport&) { f.qe_isv_svn = 3; }},
      {"qe-new", kSame, [](TdxFacts& f, TdReport&) { f.qe_isv_svn = 9; }},
      {"qe-auth-data", kSame, [](TdxFacts& f, TdReport&) { f.qe_auth_data.clear(); }},
      {"sgx-old", kSame, [](TdxFacts& f, TdReport&) { f.sgx_tcb[0] = 6; }},
      {"sgx-new", kSame, [](TdxFacts& f, TdReport&) { f.sgx_tcb[0] = 200; }},
      {"pce-old", kSame, [](TdxFacts& f, TdReport&) { f.pce_svn = 10; }},
      {"pce-new", kSame, [](TdxFacts& f, TdReport&) { f.pce_svn = 300; }},
      {"module-old", kSame, [](TdxFacts&, TdReport& r) { r.tee_tcb_svn[0] = 4; }},
      {"module-new", kSame, [](TdxFacts&, TdReport& r) { r.tee_tcb_svn[0] = 9; }},
      {"module-version", kSame, [](TdxFacts&, TdReport& r) { r.tee_tcb_svn[1] = 2; }},
      {"module-none", kSame, [](TdxFacts&, TdReport& r) { r.tee_tcb_svn[1] = 0; }},
      {"loader-old", kSame, [](TdxFacts&, TdReport& r) { r.tee_tcb_svn[2] = 6; }},
      {"module-signer", kSame, [](TdxFacts&, TdReport& r) { r.mr_signer_seam[7] = 1; }},
      {"module-attributes", kSame, [](TdxFacts&, TdReport& r) { r.seam_attributes[7] = 1; }},
      {"other-values", kSame, [](TdxFacts&, TdReport& r) { r.mr_td.fill(1); }},
  };
  for (const Row& row : rows) {
    auto platform = TdxPlatform::create();
    TdReport report = platform->report();
    row.change(platform->facts, report);
    CollateralFiles files = platform->collateral(kMadeAt);
    cases.add(true, &files, kMadeAt, platform->quote(report), row.tag, row.what);
  }
}

void change_collateral(Cases& cases, const TdxPlatform& platform, const Buffer& quote) {
  const CollateralFiles sound = platform.collateral(kMadeAt);
  struct Part {
    Buffer CollateralFiles::*part;
    const char* tag;
    size_t step;
  };
  // The chain's text is made from the list, so a list that no longer reads has none: a refusal on both sides.
  const Part parts[] = {{&CollateralFiles::tcb_info, kAnswer, 2}, {&CollateralFiles::tcb_info_chain, kSame, 3},
                        {&CollateralFiles::qe_identity, kAnswer, 1}, {&CollateralFiles::qe_identity_chain, kSame, 3},
                        {&CollateralFiles::pck_crl, kSame, 1}, {&CollateralFiles::root_crl, kSame, 1}};
  for (const Part& part : parts) {
    const size_t size = (sound.*part.part).size();
    for (size_t byte = 0; byte < size; byte += part.step) {
      CollateralFiles changed = sound;
      (changed.*part.part)[byte] ^= static_cast<uint8_t>(1u << (byte * 5 % 8));
      cases.add(true, &changed, kMadeAt, quote, part.tag, "collateral");
    }
  }
  for (int64_t day : {-3650, -2, 0, 28, 29, 30, 3650})
    cases.add(true, &sound, kMadeAt + day * kDay, quote, day == -2 ? kFuture : kSame, "time");
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) give_up("usage: tdx_cases CASES VERDICTS");
  auto platform = TdxPlatform::create();
  Cases cases(argv[1], argv[2], *platform);
  Buffer real = evidence("tdx_prod_quote_SPR_E4.dat");
  if (real.size() <= kRealQuote) give_up("the quote is shorter than it was");
  cases.add(false, nullptr, kRealNow, real, kTrailing, "as-published");
  real.resize(kRealQuote);
  cases.add(false, nullptr, kRealNow, real, kSame, "real");
  for (int64_t year : {-2, 0, 3, 10}) cases.add(false, nullptr, kRealNow + year * 365 * kDay, real, kSame, "time");
  flip_every_byte(cases, false, kRealNow, real, 0, 1);
  cut(cases, false, kRealNow, real, 17);
  shuffle(cases, false, nullptr, kRealNow, real, 2000, 1);

  Buffer made = platform->quote(platform->report());
  cases.add(true, nullptr, kMadeAt, made, kSame, "made");
  cases.add(false, nullptr, kMadeAt, made, kSame, "made-under-intel");
  cases.add(true, nullptr, kRealNow, real, kSame, "real-under-made");
  flip_every_byte(cases, true, kMadeAt, made, 5, 2);
  cut(cases, true, kMadeAt, made, 29);
  const CollateralFiles sound = platform->collateral(kMadeAt);
  shuffle(cases, true, &sound, kMadeAt, made, 500, 2);
  facts(cases);
  change_collateral(cases, *platform, made);
  return 0;
}
