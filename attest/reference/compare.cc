#include "attest/reference/compare.h"

#include "crypto/base/log.h"

namespace cstl::reference {

namespace {
constexpr size_t kDoesNotVerify = 1000;
}  // namespace

Claim failed(const char* name, const Error& error) {
  Claim claim;
  claim.name = name;
  claim.why = describe(error);
  return claim;
}

Claim passed(std::string name) {
  Claim claim;
  claim.name = std::move(name);
  claim.result = ClaimResult::passed;
  return claim;
}

const char* ClusterRegister::name() const {
  switch (kind) {
    case pcr15: return "cluster (PCR 15)";
    case asserted: return "cluster (register)";
    case rtmr3: break;
  }
  return "cluster (RTMR3)";
}

void Comparison::add(Claim claim, Code on_failure) {
  if (claim.result == ClaimResult::failed) {
    ++distance;
    if (code == Code::ok) code = on_failure;
  }
  claims.push_back(std::move(claim));
}

void Comparison::stop(Claim claim, Code on_failure) {
  distance += kDoesNotVerify;
  add(std::move(claim), on_failure);
}

Comparison compare_window(const ReferenceSet& set, const Machine& machine) {
  Comparison out;
  out.set = &set;
  Claim window = passed("reference.window");
  if (machine.now < set.not_before || machine.now >= set.not_after) {
    window.result = ClaimResult::failed;
    window.why = "the reference set is outside its validity window";
  }
  out.validity.narrow(set.not_before, set.not_after);
  out.add(std::move(window), Code::reference_expired);
  return out;
}

Status verify_to_roots(Bytes leaf, const std::vector<Bytes>& others, const std::vector<std::vector<uint8_t>>& roots,
                       int64_t now) {
  Status last = fail(Code::untrusted_chain, "chain.no_root");
  for (const std::vector<uint8_t>& root : roots) {
    TRY_LET(Digest32 pin, certificate_spki_hash(root));
    std::vector<Bytes> with = others;
    bool sent = false;
    for (Bytes other : with) sent = sent || equal(other, root);
    if (!sent) with.push_back(root);
    last = verify_chain(leaf, with, ChainPolicy{&pin, 1, now});
    if (last.ok()) break;
  }
  return last;
}

}  // namespace cstl::reference
