#include "attest/tpm/verify.h"

#include "attest/tpm/credential.h"
#include "crypto/sign.h"

namespace cstl::tpm {

namespace {
constexpr uint32_t kAllPcrs = (1u << kPcrCount) - 1;
constexpr std::array<uint8_t, 4> kRhOwner{0x40, 0x00, 0x00, 0x01};
constexpr std::array<uint8_t, 4> kRhEndorsement{0x40, 0x00, 0x00, 0x0b};

// Qualified name (part 1, 16.2): H(qualified name of the parent ‖ name); a hierarchy's is its handle.
Result<Name> qualified_name(Bytes parent, const Name& name) {
  TRY_LET(Digest32 digest, sha256({parent, name}));
  Name out{kAlgSha256 >> 8, kAlgSha256 & 0xff};
  std::memcpy(out.data() + 2, digest.data(), digest.size());
  return out;
}
// Firmware's last words to PCR 5 (PFP 1.06, table 28) come after it handed over the log; not every system has them from
// the final events table. What they are is fixed, so a log without them still tells how the PCR came about.
constexpr uint32_t kExitPcr = 5;
constexpr const char* kInvocation = "Exit Boot Services Invocation";
constexpr const char* kSuccess = "Exit Boot Services Returned with Success";
constexpr const char* kFailure = "Exit Boot Services Returned with Failure";

bool is_unlogged_exit(const Digest32& replayed, const Digest32& quoted) {
  constexpr const char* kEndings[][4] = {{kInvocation, kSuccess, nullptr, nullptr},
                                         {kInvocation, kFailure, nullptr, nullptr},
                                         {kInvocation, kFailure, kSuccess, nullptr},
                                         {kInvocation, kFailure, kInvocation, kSuccess}};
  for (const auto& ending : kEndings) {
    Digest32 value = replayed;
    for (const char* words : ending) {
      if (words == nullptr) break;
      Result<Digest32> event = sha256({Bytes(words)});
      Result<Digest32> next = event.ok() ? sha256({value, *event}) : event;
      if (!next.ok()) return false;
      value = *next;
    }
    if (value == quoted) return true;
  }
  return false;
}
}  // namespace

Status check_magic(const Attest& quote) {
  if (quote.magic != kGenerated) return fail(Code::quote_magic, "quote.magic");
  return success();
}

Status check_type(const Attest& quote) {
  if (quote.type != kAttestQuote) return fail(Code::quote_type, "quote.type");
  return success();
}

Status check_key(const Public& ak) {
  constexpr uint32_t kNeeded = kRestricted | kSign | kFixedTpm | kFixedParent | kSensitiveDataOrigin;
  if ((ak.attributes & kNeeded) != kNeeded || (ak.attributes & kDecrypt) != 0) {
    return fail(Code::quote_key, "ak.attributes");
  }
  if (ak.name_algorithm != kAlgSha256) return fail(Code::quote_key, "ak.name_algorithm");
  bool rsa = ak.type == kAlgRsa && (ak.scheme == kAlgRsassa || ak.scheme == kAlgRsapss) && ak.rsa_bits == 2048;
  bool ecc = ak.type == kAlgEcc && ak.scheme == kAlgEcdsa && ak.curve == kCurveP256;
  if ((!rsa && !ecc) || ak.scheme_hash != kAlgSha256) return fail(Code::quote_key, "ak.scheme");
  return success();
}

Status check_signer(const Attest& quote, const Name& ak_name, Bytes ek_modulus) {
  for (Bytes parent : {Bytes(kRhEndorsement), Bytes(kRhOwner)}) {
    TRY_LET(Name expected, qualified_name(parent, ak_name));
    if (equal(quote.qualified_signer, expected)) return success();
  }
  if (ek_modulus.size() == kEkModulus) {
    std::array<uint8_t, 512> space{};
    TRY_LET(Bytes ek_public, default_ek_public(ek_modulus, space));
    TRY_LET(Name ek_name, name_of(ek_public));
    TRY_LET(Name ek_qualified, qualified_name(kRhEndorsement, ek_name));
    TRY_LET(Name expected, qualified_name(ek_qualified, ak_name));
    if (equal(quote.qualified_signer, expected)) return success();
  }
  return fail(Code::quote_key, "ak.name");
}

Status check_signature(Bytes quote, const Signature& signature, const Public& ak) {
  if (signature.algorithm != ak.scheme || signature.hash != ak.scheme_hash || signature.hash != kAlgSha256) {
    return fail(Code::quote_signature, "quote.scheme");
  }
  TRY_LET(Digest32 digest, sha256({quote}));
  Status verified = fail(Code::quote_signature, "quote.scheme");
  if (signature.algorithm == kAlgEcdsa) {
    if (ak.ecc_x.size() > 32 || ak.ecc_y.size() > 32) return fail(Code::quote_signature, "quote.point");
    P256Point point{0x04};
    std::memcpy(point.data() + 33 - ak.ecc_x.size(), ak.ecc_x.data(), ak.ecc_x.size());
    std::memcpy(point.data() + 65 - ak.ecc_y.size(), ak.ecc_y.data(), ak.ecc_y.size());
    verified = verify_p256(point, digest, signature.r, signature.s);
  } else {
    RsaPadding padding = signature.algorithm == kAlgRsapss ? RsaPadding::pss : RsaPadding::pkcs1_v15;
    verified = verify_rsa(ak.rsa_modulus, ak.rsa_exponent, padding, digest, signature.rsa);
  }
  if (!verified.ok()) {
    return fail(Code::quote_signature, "quote.signature", verified.error().origin, verified.error().foreign);
  }
  return success();
}

Status check_nonce(const Attest& quote, Bytes qualifier) {
  if (!equal(quote.extra_data, qualifier)) return fail(Code::quote_nonce, "quote.nonce");
  return success();
}

Status check_selection(const Attest& quote) {
  if (quote.pcr_algorithm != kAlgSha256 || quote.pcr_mask != kAllPcrs) {
    return fail(Code::quote_selection, "quote.selection");
  }
  return success();
}

Status check_digest(const Attest& quote, Bytes pcr_values) {
  TRY_LET(Digest32 digest, sha256({pcr_values}));
  if (pcr_values.size() != kPcrValues || !equal(quote.pcr_digest, digest)) {
    return fail(Code::quote_digest, "quote.digest");
  }
  return success();
}

const char* quote_step_name(QuoteStep step) {
  switch (step) {
    case QuoteStep::form: return "quote.form";
    case QuoteStep::magic: return "quote.magic";
    case QuoteStep::type: return "quote.type";
    case QuoteStep::key: return "ak.attributes";
    case QuoteStep::signer: return "ak.name";
    case QuoteStep::signature: return "quote.signature";
    case QuoteStep::nonce: return "quote.nonce";
    case QuoteStep::selection: return "quote.selection";
    case QuoteStep::digest: return "quote.digest";
    case QuoteStep::done: break;
  }
  return "quote";
}

Result<VerifiedQuote> verify_quote(const Evidence& evidence, Bytes qualifier, Bytes ek_modulus, QuoteStep& reached) {
  reached = QuoteStep::form;
  TRY_LET(Attest quote, Attest::decode(evidence.quote));
  TRY_LET(Signature signature, Signature::decode(evidence.signature));
  TRY_LET(Public ak, Public::decode(evidence.ak_public));
  reached = QuoteStep::magic;
  TRY(check_magic(quote));
  reached = QuoteStep::type;
  TRY(check_type(quote));
  reached = QuoteStep::key;
  TRY(check_key(ak));
  reached = QuoteStep::signer;
  VerifiedQuote verified;
  TRY_LET(verified.ak_name_, name_of(evidence.ak_public));
  TRY(check_signer(quote, verified.ak_name_, ek_modulus));
  reached = QuoteStep::signature;
  TRY(check_signature(evidence.quote, signature, ak));
  reached = QuoteStep::nonce;
  TRY(check_nonce(quote, qualifier));
  reached = QuoteStep::selection;
  TRY(check_selection(quote));
  reached = QuoteStep::digest;
  TRY(check_digest(quote, evidence.pcr_values));
  reached = QuoteStep::done;
  std::memcpy(verified.pcrs_.data(), evidence.pcr_values.data(), kPcrValues);
  return verified;
}

Status check_replay(const EventLog& log, const PcrValues& quoted, uint32_t& pcr) {
  uint32_t present = 0;
  PcrValues replayed = log.replay(present);
  for (pcr = 0; pcr < kPcrCount; ++pcr) {
    if ((present >> pcr & 1) == 0 || replayed[pcr] == quoted[pcr]) continue;
    if (pcr == kExitPcr && is_unlogged_exit(replayed[pcr], quoted[pcr])) continue;
    return fail(Code::log_replay, "log.replay");
  }
  return success();
}

}  // namespace cstl::tpm
