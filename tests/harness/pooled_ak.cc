#include "tests/harness/pooled_ak.h"

#include <tss2/tss2_mu.h>

#include <cstdio>
#include <cstdlib>

#include "attest/merkle.h"
#include "attest/tpm/device_state.h"

namespace cstl::test {

using tpm::EsysPtr;
using tpm::Transient;
using tpm::tss_ok;

namespace {
// As attest/tpm/issue.cc makes its key, but for `unique`.
TPM2B_PUBLIC template_of(const std::string& unique) {
  TPM2B_PUBLIC in{};
  TPMT_PUBLIC& p = in.publicArea;
  p.type = TPM2_ALG_ECC;
  p.nameAlg = TPM2_ALG_SHA256;
  p.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                       TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT;
  p.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
  p.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
  p.parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
  p.parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
  p.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
  p.unique.ecc.x.size = static_cast<UINT16>(unique.size());
  std::memcpy(p.unique.ecc.x.buffer, unique.data(), unique.size());
  return in;
}
}  // namespace

struct PooledAk::State {
  explicit State(tpm::Device& d) : device(d) {}
  tpm::Device& device;
  TPMS_CONTEXT* context = nullptr;
  std::vector<uint8_t> ak_public;

  Status create(const std::string& unique) {
    ESYS_CONTEXT* esys = device.state().esys;
    if (unique.empty() || unique.size() > 32) return fail(Code::bad_value, "pooled.unique");
    const TPM2B_PUBLIC in = template_of(unique);
    const TPM2B_SENSITIVE_CREATE sensitive{};
    const TPM2B_DATA outside{};
    const TPML_PCR_SELECTION none{};
    ESYS_TR handle = ESYS_TR_NONE;
    TPM2B_PUBLIC* out = nullptr;
    TSS2_RC rc = Esys_CreatePrimary(esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive,
                                    &in, &outside, &none, &handle, &out, nullptr, nullptr, nullptr);
    EsysPtr<TPM2B_PUBLIC> owner(out);
    TRY(tss_ok(rc, "pooled.create"));
    Transient key(esys, handle);
    std::array<uint8_t, kMaxTpmPublic> bytes;
    size_t used = 0;
    TRY(tss_ok(Tss2_MU_TPMT_PUBLIC_Marshal(&out->publicArea, bytes.data(), bytes.size(), &used), "pooled.public"));
    ak_public = Bytes(bytes).first(used).copy();
    return tss_ok(Esys_ContextSave(esys, key.get(), &context), "pooled.save");
  }

  Status sign(const Digest32& qualifier, std::vector<uint8_t>& attest, std::vector<uint8_t>& signature) {
    ESYS_CONTEXT* esys = device.state().esys;
    ESYS_TR handle = ESYS_TR_NONE;
    TRY(tss_ok(Esys_ContextLoad(esys, context, &handle), "pooled.load"));
    Transient key(esys, handle);
    TPM2B_DATA data{};
    data.size = 32;
    std::memcpy(data.buffer, qualifier.data(), 32);
    TPMT_SIG_SCHEME scheme{};
    scheme.scheme = TPM2_ALG_NULL;
    const TPML_PCR_SELECTION pcrs = tpm::all_pcrs();
    TPM2B_ATTEST* quoted = nullptr;
    TPMT_SIGNATURE* sig = nullptr;
    TSS2_RC rc = Esys_Quote(esys, key.get(), ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data, &scheme, &pcrs, &quoted, &sig);
    EsysPtr<TPM2B_ATTEST> quoted_owner(quoted);
    EsysPtr<TPMT_SIGNATURE> sig_owner(sig);
    TRY(tss_ok(rc, "pooled.quote"));
    attest.assign(quoted->attestationData, quoted->attestationData + quoted->size);
    std::array<uint8_t, kMaxTpmSignature> bytes;
    size_t used = 0;
    TRY(tss_ok(Tss2_MU_TPMT_SIGNATURE_Marshal(sig, bytes.data(), bytes.size(), &used), "pooled.signature"));
    signature = Bytes(bytes).first(used).copy();
    return success();
  }
};

PooledAk::PooledAk(tpm::Device& device) : state_(new State(device)) {}

PooledAk::~PooledAk() {
  if (state_->context != nullptr) Esys_Free(state_->context);
}

std::unique_ptr<PooledAk> PooledAk::create(tpm::Device& device, const std::string& unique) {
  std::unique_ptr<PooledAk> out(new PooledAk(device));
  if (Status made = out->state_->create(unique); !made.ok()) {
    std::fprintf(stderr, "pooled_ak: %s at %s, %llx\n", code_name(made.code()), made.error().site,
                 static_cast<unsigned long long>(made.error().foreign));
    std::abort();
  }
  return out;
}

Result<EvidenceList> PooledAk::quote(const std::vector<Binding>& bindings) {
  std::vector<Digest32> digests(bindings.size());
  for (size_t i = 0; i < bindings.size(); ++i) {
    TRY_LET(digests[i], bindings[i].digest());
  }
  TRY_LET(MerkleTree tree, MerkleTree::build(digests));
  TRY_LET(Digest32 qualifier, quote_qualifier(tree.root()));
  std::vector<uint8_t> attest, signature, values;
  TRY_LET(auto pcrs, state_->device.read_pcrs());  // nothing extends them meanwhile
  TRY(state_->sign(qualifier, attest, signature));
  for (const Digest32& value : pcrs) values.insert(values.end(), value.begin(), value.end());
  Evidence evidence;
  evidence.variant = variant();
  evidence.quote = attest;
  evidence.signature = signature;
  evidence.ak_public = state_->ak_public;
  evidence.pcr_values = values;
  EvidenceList out;
  for (size_t i = 0; i < bindings.size(); ++i) {
    TRY_LET(std::vector<uint8_t> proof, tree.proof(i));
    evidence.merkle = proof;
    std::vector<uint8_t> space(16 * 1024);
    TRY_LET(Bytes encoded, evidence.encode(space));
    out.push_back(encoded.copy());
  }
  return out;
}

Result<std::vector<uint8_t>> PooledAk::activate(Bytes) { return fail(Code::unsupported, "pooled.activate"); }

}  // namespace cstl::test
