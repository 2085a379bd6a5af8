// Reference values that someone answers for: m of n pinned keys signed the file's bytes, the document carries a name, a
// version and an expiry, and no older version than one seen before is taken.
//
// A signature is what `cosign sign-blob --key` makes: ECDSA P-256 over SHA-256 of the file, DER, in base64, in a file of its
// own beside the document, so that `cosign verify-blob --key KEY --signature SIGNATURE FILE` and `openssl dgst -sha256 -verify`
// check each one. Names, for a document FILE and a key whose id is the first 16 hexadecimal digits of SHA-256 of its
// SubjectPublicKeyInfo:
//   FILE.<id>.sig, or FILE.sig        the signature
//   FILE.<id>.bundle, or FILE.bundle  the transparency log's bundle (transparency.h), which carries the signature too
// A policy that pins logs counts only signatures that one of them holds.
#pragma once

#include <functional>

#include "attest/reference/transparency.h"
#include "attest/reference/values.h"

namespace cstl {

constexpr size_t kMaxTrustPolicy = 32 * 1024;
constexpr size_t kMaxSigners = 16;
constexpr size_t kMaxLogs = 8;
constexpr size_t kMaxSignatureFile = 256;

struct TrustPolicy {                     // {"cstl": "reference-trust/1", …}: public, and as precious as what it protects
  std::string name;                      // of the reference values: a document of another name is refused
  unsigned threshold = 1;                // how many of the signers, 1 to signers.size()
  std::vector<PublicKey> signers;        // P-256, distinct
  std::vector<TransparencyLog> logs;     // empty: signatures need not be logged

  // Errors: trust_malformed, with the place in `problem`.
  static Result<TrustPolicy> parse(std::string_view json, std::string* problem);
  std::string to_json() const;           // parses back to itself
};

// The first 16 hexadecimal digits of SHA-256 of the key's SubjectPublicKeyInfo. Errors: crypto_failed.
Result<std::string> signer_id(const PublicKey& key);

// What was accepted before, so that nothing older is taken again.
struct SeenReference {
  int64_t version = 0;                   // 0: nothing yet
  Digest32 document{};                   // SHA-256 of the file of that version
};

struct SignedReference {                 // what only open_signed() makes
  ReferenceValues values;
  SeenReference seen;                    // to be remembered
  std::vector<std::string> signers;      // ids of those whose signatures count
  int64_t logged_at = 0;                 // the latest time at which a log took one of them; 0: no log is pinned
};

// How open_signed() gets the files beside the document: "" or ".<id>" and ".sig" or ".bundle" → contents; not_found when
// there is none. Any other error ends the whole.
using SignatureSource = std::function<Result<std::vector<uint8_t>>(const std::string& suffix)>;

// Every signature that is found for a pinned key must verify: a bad one is not ignored because others suffice.
// FILE.sig and FILE.bundle may be of any one of the keys. Order of codes: reference_signature, the codes of transparency.h,
// reference_unsigned, then those of ReferenceValues::parse, then reference_name, reference_malformed (no version or no
// expiry), reference_rollback (an older version, or another document of the same one).
Result<SignedReference> open_signed(Bytes document, const SignatureSource& files, const TrustPolicy& policy,
                                    const SeenReference& seen, int64_t now, std::string* problem);

// The text of a signature file: base64 of the DER signature, and a newline. Errors: crypto_failed.
Result<std::string> sign_document(Bytes document, const SigningKey& key);

}  // namespace cstl
