#include "attest/aws/document.h"

#include "attest/aws/cbor.h"
#include "crypto/sign.h"

namespace cstl::aws {

namespace {
constexpr Code kMalformed = Code::document_malformed;
constexpr uint64_t kCoseSign1 = 18;
constexpr size_t kMaxModuleId = 128;
constexpr size_t kP384Signature = 96;

Error refuse(const char* site) { return fail(kMalformed, site); }

// {1: -35}: the algorithm is ES384, and there is nothing else to honour.
Status check_protected(Bytes header) {
  CborReader r(header, kMalformed);
  TRY_LET(uint64_t members, r.take_map("nitro.header"));
  TRY_LET(uint64_t label, r.take_unsigned("nitro.header"));
  TRY_LET(uint64_t algorithm, r.take_negative("nitro.algorithm"));
  TRY(r.finish("nitro.header"));
  if (members != 1 || label != 1 || algorithm != 34) return refuse("nitro.algorithm");
  return success();
}

Status read_pcrs(CborReader& r, Document& out) {
  TRY_LET(uint64_t count, r.take_map("nitro.pcrs"));
  if (count == 0 || count > kPcrCount) return refuse("nitro.pcrs");
  for (uint64_t i = 0; i < count; ++i) {
    TRY_LET(uint64_t index, r.take_unsigned("nitro.pcr"));
    TRY_LET(Bytes value, r.take_bytes(48, "nitro.pcr"));
    if (index >= kPcrCount || value.size() != 48 || (out.pcr_mask >> index & 1) != 0) return refuse("nitro.pcr");
    out.pcr_mask |= 1u << index;
    std::memcpy(out.pcrs[index].data(), value.data(), 48);
  }
  return success();
}

Status read_bundle(CborReader& r, Document& out) {
  TRY_LET(uint64_t count, r.take_array("nitro.cabundle"));
  if (count == 0 || count > kMaxChain - 1) return refuse("nitro.cabundle");
  for (uint64_t i = 0; i < count; ++i) {
    TRY_LET(Bytes certificate, r.take_bytes(kMaxCertificate, "nitro.cabundle"));
    out.bundle.push_back(certificate);
  }
  return success();
}

Status read_optional(CborReader& r, Bytes& out) {
  if (r.take_null()) return success();
  TRY_LET(out, r.take_bytes(kMaxUserData, "nitro.optional"));
  return success();
}

enum Member : unsigned { module_id, digest, timestamp, pcrs, certificate, cabundle, public_key, user_data, nonce, count };
constexpr std::string_view kMembers[count] = {"module_id",   "digest",   "timestamp",  "nitrotpm_pcrs", "certificate",
                                              "cabundle", "public_key", "user_data",     "nonce"};

Status read_member(unsigned member, CborReader& r, Document& out) {
  switch (member) {
    case module_id: {
      TRY_LET(out.module_id, r.take_text(kMaxModuleId, "nitro.module_id"));
      for (char c : out.module_id) {
        if (c < 0x20 || c > 0x7e) return refuse("nitro.module_id");
      }
      return success();
    }
    case digest: {
      TRY_LET(std::string_view name, r.take_text(16, "nitro.digest"));
      return name == "SHA384" ? success() : Status(refuse("nitro.digest"));
    }
    case timestamp: {
      TRY_LET(out.timestamp, r.take_unsigned("nitro.timestamp"));
      return success();
    }
    case pcrs: return read_pcrs(r, out);
    case certificate: {
      TRY_LET(out.certificate, r.take_bytes(kMaxCertificate, "nitro.certificate"));
      return success();
    }
    case cabundle: return read_bundle(r, out);
    case public_key: return read_optional(r, out.public_key);
    case user_data: return read_optional(r, out.user_data);
    default: return read_optional(r, out.nonce);
  }
}

Status read_payload(Document& out) {
  CborReader r(out.payload, kMalformed);
  TRY_LET(uint64_t members, r.take_map("nitro.payload"));
  if (members > count) return refuse("nitro.payload");
  unsigned seen = 0;
  for (uint64_t i = 0; i < members; ++i) {
    TRY_LET(std::string_view name, r.take_text(32, "nitro.member"));
    unsigned member = 0;
    while (member < count && kMembers[member] != name) ++member;
    if (member == count || (seen >> member & 1) != 0) return refuse("nitro.member");
    seen |= 1u << member;
    TRY(read_member(member, r, out));
  }
  TRY(r.finish("nitro.payload"));
  constexpr unsigned kNeeded = 1u << module_id | 1u << digest | 1u << timestamp | 1u << pcrs | 1u << certificate |
                               1u << cabundle;
  if ((seen & kNeeded) != kNeeded) return refuse("nitro.missing");
  return success();
}

// Sig_structure of RFC 9052, 4.4, for COSE_Sign1 without external data.
Result<Digest48> signed_digest(const Document& document) {
  std::array<uint8_t, 9> size{};
  auto head = [&size](uint8_t major, size_t value) {
    const uint8_t first = static_cast<uint8_t>(major << 5);
    if (value < 24) {
      size[0] = static_cast<uint8_t>(first | value);
      return Bytes(size).first(1);
    }
    if (value < 256) {
      size[0] = static_cast<uint8_t>(first | 24);
      size[1] = static_cast<uint8_t>(value);
      return Bytes(size).first(2);
    }
    size[0] = static_cast<uint8_t>(first | 25);  // kMaxDocument is below 2^16
    size[1] = static_cast<uint8_t>(value >> 8);
    size[2] = static_cast<uint8_t>(value);
    return Bytes(size).first(3);
  };
  constexpr std::array<uint8_t, 12> kStart{0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
  constexpr std::array<uint8_t, 1> kNoExternalData{0x40};
  TRY_LET(Hash hash, Hash::create(HashKind::sha384));
  TRY(hash.update(kStart));
  TRY(hash.update(head(2, document.protected_header.size())));
  TRY(hash.update(document.protected_header));
  TRY(hash.update(kNoExternalData));
  TRY(hash.update(head(2, document.payload.size())));
  TRY(hash.update(document.payload));
  TRY_LET(Digest digest, hash.finish());
  Digest48 out;
  std::memcpy(out.data(), Bytes(digest).data(), out.size());
  return out;
}

Status check_signature(const Document& document) {
  TRY_LET(PublicKey key, certificate_key(document.certificate));
  P384Point point;
  if (key.kind != KeyKind::p384 || key.point.size() != point.size()) {
    return fail(Code::document_signature, "nitro.key");
  }
  std::memcpy(point.data(), key.point.data(), point.size());
  TRY_LET(Digest48 digest, signed_digest(document));
  Status verified = verify_p384(point, digest, document.signature.first(48), document.signature.skip(48));
  if (!verified.ok()) return fail(Code::document_signature, "nitro.signature");
  return success();
}

// ErrorCode of the Nitro secure module's API.
Error refusal(std::string_view name) {
  struct Row {
    std::string_view name;
    const char* site;
  };
  constexpr Row kRows[] = {
      {"InvalidArgument", "nitro.invalid_argument"}, {"InvalidOperation", "nitro.invalid_operation"},
      {"BufferTooSmall", "nitro.buffer_too_small"},  {"InputTooLarge", "nitro.input_too_large"},
      {"InternalError", "nitro.internal_error"},
  };
  for (const Row& row : kRows) {
    if (row.name == name) return fail(Code::tpm_failed, row.site);
  }
  return fail(Code::tpm_failed, "nitro.refused");
}
}  // namespace

Result<Bytes> document_in(Bytes answer) {
  CborReader r(answer, Code::document_malformed);
  TRY_LET(uint64_t outer, r.take_map("nitro.answer"));
  TRY_LET(std::string_view kind, r.take_text(16, "nitro.answer"));
  if (outer == 1 && kind == "Error") {
    TRY_LET(std::string_view name, r.take_text(32, "nitro.answer"));
    return refusal(name);
  }
  if (outer != 1 || kind != "Attestation") return fail(Code::document_malformed, "nitro.answer");
  TRY_LET(uint64_t inner, r.take_map("nitro.answer"));
  TRY_LET(std::string_view member, r.take_text(16, "nitro.answer"));
  if (inner != 1 || member != "document") return fail(Code::document_malformed, "nitro.answer");
  return r.take_bytes(kMaxDocument, "nitro.answer");
}

Result<Document> Document::decode(Bytes input) {
  if (input.size() > kMaxDocument) return refuse("nitro.size");
  CborReader r(input, kMalformed);
  Document out;
  TRY(r.skip_tag(kCoseSign1, "nitro.tag"));
  TRY_LET(uint64_t parts, r.take_array("nitro.sign1"));
  if (parts != 4) return refuse("nitro.sign1");
  TRY_LET(out.protected_header, r.take_bytes(64, "nitro.header"));
  TRY_LET(uint64_t unprotected, r.take_map("nitro.unprotected"));
  if (unprotected != 0) return refuse("nitro.unprotected");
  TRY_LET(out.payload, r.take_bytes(kMaxDocument, "nitro.payload"));
  TRY_LET(out.signature, r.take_bytes(kP384Signature, "nitro.signature"));
  TRY(r.finish("nitro.trailing"));
  if (out.signature.size() != kP384Signature) return refuse("nitro.signature");
  TRY(check_protected(out.protected_header));
  TRY(read_payload(out));
  return out;
}

const char* document_step_name(DocumentStep step) {
  switch (step) {
    case DocumentStep::form: return "nitro.form";
    case DocumentStep::chain: return "nitro.chain";
    case DocumentStep::signature: return "nitro.signature";
    case DocumentStep::nonce: return "nitro.nonce";
    case DocumentStep::ak: return "nitro.ak";
    case DocumentStep::done: break;
  }
  return "nitro";
}

Result<VerifiedDocument> verify_document(Bytes input, const ChainPolicy& roots, const Digest32& qualifier, Bytes ak_public,
                                         DocumentStep& reached) {
  reached = DocumentStep::form;
  TRY_LET(Document document, Document::decode(input));
  reached = DocumentStep::chain;
  Status chain = verify_chain(document.certificate, document.bundle, roots);
  if (!chain.ok()) {
    const bool untrusted = chain.code() == Code::untrusted_chain || chain.code() == Code::bad_certificate;
    return untrusted ? fail(Code::ak_chain, "nitro.chain") : chain.error();
  }
  reached = DocumentStep::signature;
  TRY(check_signature(document));
  reached = DocumentStep::nonce;
  if (!equal(document.nonce, qualifier)) return fail(Code::quote_nonce, "nitro.nonce");
  reached = DocumentStep::ak;
  TRY_LET(Digest32 ak, sha256({ak_public}));
  if (!equal(document.user_data, ak)) return fail(Code::ak_mismatch, "nitro.ak");
  reached = DocumentStep::done;
  VerifiedDocument out;
  out.mask_ = document.pcr_mask;
  out.pcrs_ = document.pcrs;
  out.module_id_ = std::string(document.module_id);
  return out;
}

}  // namespace cstl::aws
