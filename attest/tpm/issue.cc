#include "attest/tpm/issue.h"

#include <tss2/tss2_mu.h>

#include <algorithm>

#include "attest/merkle.h"
#include "attest/tpm/device_state.h"
#include "attest/tpm/log_file.h"
#include "attest/tpm/nv.h"
#include "attest/tpm/structures.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"

namespace cstl::tpm {

namespace {

constexpr TPM2_HANDLE kEkHandle = 0x81010001;       // TCG EK Credential Profile 2.5, 2.2.1.5.2: RSA 2048, template L-1
constexpr TPM2_HANDLE kEkCertificate = 0x01c00002;  // 2.2.1.4
constexpr TPM2_HANDLE kEkChain = 0x01c00100;        // 2.2.1.5.2: certificates of the EK's issuers, over consecutive indices
constexpr TPM2_HANDLE kEkChainEnd = 0x01c00200;

// Part of the template, so that these are keys of ours and the same at every boot; never change it.
constexpr char kAkUnique[] = "cstl-ak-1";

TPM2B_PUBLIC ak_template() {
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
  p.unique.ecc.x.size = sizeof kAkUnique - 1;
  std::memcpy(p.unique.ecc.x.buffer, kAkUnique, sizeof kAkUnique - 1);
  return in;
}

// TCG EK Credential Profile 2.5, B.3.3, template L-1.
TPM2B_PUBLIC ek_template() {
  static const uint8_t kPolicy[] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
                                    0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
                                    0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};
  TPM2B_PUBLIC in{};
  TPMT_PUBLIC& p = in.publicArea;
  p.type = TPM2_ALG_RSA;
  p.nameAlg = TPM2_ALG_SHA256;
  p.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                       TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
  p.authPolicy.size = sizeof kPolicy;
  std::memcpy(p.authPolicy.buffer, kPolicy, sizeof kPolicy);
  p.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_AES;
  p.parameters.rsaDetail.symmetric.keyBits.aes = 128;
  p.parameters.rsaDetail.symmetric.mode.aes = TPM2_ALG_CFB;
  p.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
  p.parameters.rsaDetail.keyBits = 2048;
  p.unique.rsa.size = 256;
  return in;
}

Status public_bytes(const TPM2B_PUBLIC& key, std::vector<uint8_t>* out) {
  std::array<uint8_t, kMaxTpmPublic> bytes;
  size_t used = 0;
  TRY(tss_ok(Tss2_MU_TPMT_PUBLIC_Marshal(&key.publicArea, bytes.data(), bytes.size(), &used), "tpm.public"));
  *out = Bytes(bytes).first(used).copy();
  return success();
}

Result<Transient> create_primary(ESYS_CONTEXT* esys, const TPM2B_PUBLIC& in, std::vector<uint8_t>* public_area) {
  const TPM2B_SENSITIVE_CREATE sensitive{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION none{};
  ESYS_TR handle = ESYS_TR_NONE;
  TPM2B_PUBLIC* out = nullptr;
  TSS2_RC rc = Esys_CreatePrimary(esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive,
                                  &in, &outside, &none, &handle, &out, nullptr, nullptr, nullptr);
  EsysPtr<TPM2B_PUBLIC> out_owner(out);
  TRY(tss_ok(rc, "tpm.create_primary"));
  Transient key(esys, handle);
  if (public_area != nullptr) TRY(public_bytes(*out, public_area));
  return key;
}

// The certificates of issuers, one DER after the other (2.2.1.5.2), as evidence carries them.
std::vector<uint8_t> encode_chain(Bytes der) {
  std::vector<uint8_t> out;
  // SEQUENCE with a two-byte length, which every certificate has; anything else, such as padding, ends the chain.
  while (der.size() > 4 && der[0] == 0x30 && der[1] == 0x82) {
    const size_t size = 4 + (size_t{der[2]} << 8 | der[3]);
    if (size > der.size() || size > UINT16_MAX || out.size() + 2 + size > kMaxCertificateChain) break;
    out.push_back(static_cast<uint8_t>(size >> 8));
    out.push_back(static_cast<uint8_t>(size));
    out.insert(out.end(), der.begin(), der.begin() + size);
    der = der.skip(size);
  }
  return out;
}

}  // namespace

struct Issuer::State {
  State(Device& d, Variant v) : device(d), variant(v) {}
  Device& device;
  Variant variant;
  EvidenceSource* source = nullptr;
  Transient ak_made;             // none when it is persistent
  ESYS_TR ak = ESYS_TR_NONE;
  std::vector<uint8_t> ak_public, ek_certificate, ek_chain, event_log;
  uint64_t quotes = 0;

  // Signs `qualifier` and the PCRs; attest and signature as they travel.
  Status quote(const Digest32& qualifier, std::vector<uint8_t>& attest, std::vector<uint8_t>& signature) {
    TPM2B_DATA data{};
    data.size = 32;
    std::memcpy(data.buffer, qualifier.data(), 32);
    TPMT_SIG_SCHEME scheme{};
    scheme.scheme = TPM2_ALG_NULL;  // the key's own
    const TPML_PCR_SELECTION pcrs = all_pcrs();
    TPM2B_ATTEST* quoted = nullptr;
    TPMT_SIGNATURE* sig = nullptr;
    ++quotes;
    TSS2_RC rc = Esys_Quote(device.state().esys, ak, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data, &scheme,
                            &pcrs, &quoted, &sig);
    EsysPtr<TPM2B_ATTEST> quoted_owner(quoted);
    EsysPtr<TPMT_SIGNATURE> sig_owner(sig);
    TRY(tss_ok(rc, "tpm.quote"));
    attest.assign(quoted->attestationData, quoted->attestationData + quoted->size);
    std::array<uint8_t, kMaxTpmSignature> bytes;
    size_t used = 0;
    TRY(tss_ok(Tss2_MU_TPMT_SIGNATURE_Marshal(sig, bytes.data(), bytes.size(), &used), "tpm.signature"));
    signature = Bytes(bytes).first(used).copy();
    return success();
  }

  Status use_ak(const AkChoice& choice) {
    ESYS_CONTEXT* esys = device.state().esys;
    if (choice.kind == AkChoice::persistent) {
      TRY(tss_ok(Esys_TR_FromTPMPublic(esys, choice.handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &ak), "tpm.ak"));
      TPM2B_PUBLIC* out = nullptr;
      TSS2_RC rc = Esys_ReadPublic(esys, ak, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &out, nullptr, nullptr);
      EsysPtr<TPM2B_PUBLIC> owner(out);
      TRY(tss_ok(rc, "tpm.ak_public"));
      return public_bytes(*out, &ak_public);
    }
    TPM2B_PUBLIC area = ak_template();
    if (choice.kind == AkChoice::stored) {
      TRY_LET(std::vector<uint8_t> stored, nv_read(esys, choice.handle, kMaxTpmPublic));
      size_t used = 0;
      area = TPM2B_PUBLIC{};
      TRY(tss_ok(Tss2_MU_TPMT_PUBLIC_Unmarshal(stored.data(), stored.size(), &used, &area.publicArea), "tpm.ak_template"));
    }
    TRY_LET(ak_made, create_primary(esys, area, &ak_public));
    ak = ak_made.get();
    return success();
  }

  // The EK: persistent, or made anew from the template that its certificate was issued for.
  Status use_ek(Transient& made, ESYS_TR& ek) {
    ESYS_CONTEXT* esys = device.state().esys;
    TRY_LET(bool persistent, has_handle(esys, kEkHandle));
    if (persistent) {
      return tss_ok(Esys_TR_FromTPMPublic(esys, kEkHandle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &ek), "tpm.ek");
    }
    TRY_LET(made, create_primary(esys, ek_template(), nullptr));
    ek = made.get();
    return success();
  }
};

Issuer::Issuer() = default;
Issuer::~Issuer() = default;

Result<std::unique_ptr<Issuer>> Issuer::create(Device& device, const IssueConfig& config) {
  std::unique_ptr<Issuer> issuer(new Issuer());
  issuer->state_ = std::make_unique<State>(device, config.variant);
  State& s = *issuer->state_;
  ESYS_CONTEXT* esys = device.state().esys;
  s.source = config.source;
  TRY(s.use_ak(config.ak));
  TRY_LET(bool endorsed, has_handle(esys, kEkCertificate));
  if (endorsed) {
    TRY_LET(s.ek_certificate, nv_read(esys, kEkCertificate, kMaxCertificate));
    TRY_LET(std::vector<TPM2_HANDLE> indices, handles_from(esys, kEkChain, kEkChainEnd));
    std::vector<uint8_t> chain;
    for (TPM2_HANDLE index : indices) {
      TRY_LET(std::vector<uint8_t> part, nv_read(esys, index, kMaxCertificateChain - chain.size()));
      chain.insert(chain.end(), part.begin(), part.end());
    }
    s.ek_chain = encode_chain(chain);
  }
  if (!config.event_log.empty()) {
    TRY_LET(s.event_log, read_log_file(config.event_log.c_str(), kPcrLog, kMaxEventLog));
  }
  return issuer;
}

Variant Issuer::variant() const { return state_->variant; }
uint64_t Issuer::quotes() const { return state_->quotes; }

size_t Issuer::max_bindings() const { return kMaxMerkleLeaves; }

Result<EvidenceList> Issuer::sign(const std::vector<Digest32>& bindings, size_t wanted) {
  State& s = *state_;
  TRY_LET(MerkleTree tree, MerkleTree::build(bindings));
  TRY_LET(Digest32 qualifier, quote_qualifier(tree.root()));

  // The values and the quote are separate commands: a PCR extended in between calls for another try.
  std::vector<uint8_t> attest, signature, values;
  for (int attempt = 0;; ++attempt) {
    if (attempt == 5) return fail(Code::tpm_failed, "tpm.pcr_changing");
    auto pcrs = s.device.read_pcrs();
    if (!pcrs.ok()) return pcrs.error();
    TRY(s.quote(qualifier, attest, signature));
    values.clear();
    for (const Digest32& value : *pcrs) values.insert(values.end(), value.begin(), value.end());
    TRY_LET(Digest32 digest, sha256({values}));
    TRY_LET(Attest parsed, Attest::decode(attest));
    if (equal(parsed.pcr_digest, digest)) break;
  }

  Evidence evidence;
  evidence.variant = s.variant;
  evidence.quote = attest;
  evidence.signature = signature;
  evidence.ak_public = s.ak_public;
  evidence.ek_certificate = s.ek_certificate;
  evidence.ek_chain = s.ek_chain;
  evidence.pcr_values = values;
  evidence.event_log = s.event_log;
  if (s.source != nullptr) TRY(s.source->add(qualifier, evidence));
  return encode_for_leaves(evidence, tree, wanted);
}

Result<EvidenceList> encode_for_leaves(Evidence evidence, const MerkleTree& tree, size_t wanted) {
  EvidenceList out;
  const size_t count = std::min(wanted, tree.size());
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    TRY_LET(std::vector<uint8_t> proof, tree.proof(i));
    evidence.merkle = proof;
    std::vector<uint8_t> encoded(evidence.encoded_size());
    TRY_LET(Bytes used, evidence.encode(encoded));
    encoded.resize(used.size());
    out.push_back(std::move(encoded));
  }
  return out;
}

Result<std::vector<uint8_t>> Issuer::activate(Bytes credential) {
  State& s = *state_;
  ESYS_CONTEXT* esys = s.device.state().esys;
  TPM2B_ID_OBJECT id{};
  TPM2B_ENCRYPTED_SECRET secret{};
  Reader r(credential);
  auto id_bytes = r.bytes16(sizeof id.credential);
  if (!id_bytes.ok()) return fail(Code::activation_failed, "tpm.credential");
  auto secret_bytes = r.bytes16(sizeof secret.secret);
  if (!secret_bytes.ok() || !r.finish().ok()) return fail(Code::activation_failed, "tpm.credential");
  id.size = static_cast<uint16_t>(id_bytes->size());
  if (id.size != 0) std::memcpy(id.credential, id_bytes->data(), id.size);
  secret.size = static_cast<uint16_t>(secret_bytes->size());
  if (secret.size != 0) std::memcpy(secret.secret, secret_bytes->data(), secret.size);

  Transient made;
  ESYS_TR ek = ESYS_TR_NONE;
  TRY(s.use_ek(made, ek));
  // The EK's policy: authorisation of the endorsement hierarchy (2.2.1.4, PolicyA), whose auth value is empty.
  TPMT_SYM_DEF no_encryption{};
  no_encryption.algorithm = TPM2_ALG_NULL;
  ESYS_TR session_handle = ESYS_TR_NONE;
  TRY(tss_ok(Esys_StartAuthSession(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, nullptr,
                                   TPM2_SE_POLICY, &no_encryption, TPM2_ALG_SHA256, &session_handle), "tpm.session"));
  Transient session(esys, session_handle);
  TRY(tss_ok(Esys_TRSess_SetAttributes(esys, session.get(), TPMA_SESSION_CONTINUESESSION, 0xff), "tpm.session"));
  TRY(tss_ok(Esys_PolicySecret(esys, ESYS_TR_RH_ENDORSEMENT, session.get(), ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                               nullptr, nullptr, nullptr, 0, nullptr, nullptr), "tpm.policy_secret"));
  TPM2B_DIGEST* plain = nullptr;
  TSS2_RC rc = Esys_ActivateCredential(esys, s.ak, ek, ESYS_TR_PASSWORD, session.get(), ESYS_TR_NONE, &id, &secret, &plain);
  EsysPtr<TPM2B_DIGEST> plain_owner(plain);
  if (ek != made.get()) (void)Esys_TR_Close(esys, &ek);  // only our note of it; the key stays in the TPM
  if (rc != TSS2_RC_SUCCESS) return fail(Code::activation_failed, "tpm.activate", Origin::tss, rc);
  std::vector<uint8_t> out(plain->buffer, plain->buffer + plain->size);
  wipe(MutBytes(plain->buffer, plain->size));
  if (out.size() > 32) return fail(Code::activation_failed, "tpm.activate");
  return out;
}

}  // namespace cstl::tpm
