// NitroTPM attestation documents (Amazon EC2 User Guide, "NitroTPM Attestation Document"): the PCRs of an instance's virtual
// TPM, signed by the hypervisor that runs it, with a certificate chain up to AWS's Nitro root. AWS certifies neither EK nor
// AK of a NitroTPM, so this document is all that such an AK can be rooted in.
//
// COSE_Sign1 (RFC 9052), ES384, over {"module_id": text, "digest": "SHA384", "timestamp": ms, "nitrotpm_pcrs": {n: 48
// bytes}, "certificate": DER, "cabundle": [DER, root first], "public_key", "user_data", "nonce": bytes or null}.
//
// How it vouches for an AK: the software of the instance puts SHA-256(AK public area) into user_data and this session's
// qualifying data into nonce. That software is the one which the document's PCRs name, so whoever compares them with
// expected values knows that it is honest about its AK. A document whose PCRs nobody compares proves nothing about the AK.
#pragma once

#include <vector>

#include "attest/evidence.h"
#include "crypto/x509.h"

namespace cstl::aws {

constexpr size_t kMaxDocument = kMaxRuntimeData;
constexpr size_t kMaxUserData = 1024;

struct Document {
  Bytes protected_header, payload, signature;  // borrowed, as signed
  std::string_view module_id;                  // printable ASCII, at most 128 bytes
  uint64_t timestamp = 0;                      // milliseconds since 1970
  uint32_t pcr_mask = 0;                       // bit i: pcrs[i] is there
  std::array<Digest48, kPcrCount> pcrs{};
  Bytes certificate;
  std::vector<Bytes> bundle;                   // root first, at most kMaxChain - 1
  Bytes public_key, user_data, nonce;          // empty when null

  // Every member at most once, none that is not listed above. Errors: document_malformed.
  static Result<Document> decode(Bytes input);
};

// The document in the hypervisor's answer {"Attestation": {"document": bytes}}, which may be padded; at most kMaxDocument
// bytes, borrowed. Errors: document_malformed; tpm_failed ({"Error": name}: the hypervisor refuses).
Result<Bytes> document_in(Bytes answer);

enum class DocumentStep : uint8_t { form, chain, signature, nonce, ak, done };
const char* document_step_name(DocumentStep step);  // "nitro.form", …

// Only verify_document() makes one: PCRs that a hypervisor of the pinned root signed for this session and this AK.
class VerifiedDocument {
 public:
  bool has(uint8_t pcr) const { return pcr < kPcrCount && (mask_ >> pcr & 1) != 0; }
  const Digest48& pcr(uint8_t index) const { return pcrs_[index]; }  // index < kPcrCount
  const std::string& module_id() const { return module_id_; }

 private:
  friend Result<VerifiedDocument> verify_document(Bytes, const ChainPolicy&, const Digest32&, Bytes, DocumentStep&);
  VerifiedDocument() = default;
  uint32_t mask_ = 0;
  std::array<Digest48, kPcrCount> pcrs_{};
  std::string module_id_;
};

// `qualifier`: what the quote signs. `ak_public`: TPMT_PUBLIC as sent. Errors: document_malformed (form); ak_chain and the
// codes of verify_chain() (chain); document_signature; quote_nonce (nonce); ak_mismatch (ak).
Result<VerifiedDocument> verify_document(Bytes input, const ChainPolicy& roots, const Digest32& qualifier, Bytes ak_public,
                                         DocumentStep& reached);

}  // namespace cstl::aws
