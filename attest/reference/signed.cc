#include "attest/reference/signed.h"

#include "crypto/base/base64.h"
#include "crypto/base/json_object.h"
#include "crypto/key_file.h"

namespace cstl {

namespace {
using Json = nlohmann::json;
constexpr size_t kMaxName = 64;
constexpr size_t kMaxOrigin = 128;
constexpr size_t kMaxSpki = 128;         // of P-256 it is 91
constexpr size_t kIdDigits = 16;
constexpr size_t kMaxDerSignature = 80;

Result<PublicKey> key_of(const JsonObject& place, const char* name) {
  TRY_LET(std::string_view text, place.text(name, (kMaxSpki + 2) / 3 * 4));
  Result<std::vector<uint8_t>> der = from_base64(text, kMaxSpki);
  if (!der.ok()) return place.wrong(name, "is not base64");
  Result<PublicKey> key = parse_public_key(*der);
  if (!key.ok() || key->kind != KeyKind::p256) return place.wrong(name, "is not a P-256 key (SubjectPublicKeyInfo)");
  return key;
}

bool known_key(const std::vector<PublicKey>& keys, const PublicKey& key) {
  for (const PublicKey& other : keys) {
    if (equal(other.spki, key.spki)) return true;
  }
  return false;
}

bool plain_name(std::string_view name) {
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string_view::npos;
}

// A file that may be missing.
Result<std::vector<uint8_t>> optional_file(const SignatureSource& files, const std::string& suffix) {
  Result<std::vector<uint8_t>> file = files(suffix);
  if (!file.ok() && file.code() == Code::not_found) return std::vector<uint8_t>();
  return file;
}

Result<std::vector<uint8_t>> signature_of(Bytes file) {
  std::string_view text = file.text();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  Result<std::vector<uint8_t>> der = from_base64(text, kMaxDerSignature);
  if (!der.ok()) return fail(Code::reference_signature, "signed.base64");
  return der;
}

// The signatures that lie beside one document.
struct Found {
  std::vector<std::string> signers;      // in the policy's order
  int64_t logged_at = 0;
};

class Counter {
 public:
  Counter(Bytes document, const Digest32& digest, const SignatureSource& files, const TrustPolicy& policy,
          std::string* problem)
      : document_(document), digest_(digest), files_(files), policy_(policy), problem_(problem) {}

  Result<Found> count() {
    Found out;
    TRY_LET(std::vector<uint8_t> shared, optional_file(files_, logged() ? ".bundle" : ".sig"));
    bool shared_used = shared.empty();
    bool unlogged = false;
    for (const PublicKey& key : policy_.signers) {
      TRY_LET(std::string id, signer_id(key));
      TRY_LET(std::vector<uint8_t> own, optional_file(files_, "." + id + (logged() ? ".bundle" : ".sig")));
      if (!own.empty()) {
        TRY(named(check(own, key, &out), id));
        out.signers.push_back(id);
        continue;
      }
      if (logged()) {
        TRY_LET(std::vector<uint8_t> bare, optional_file(files_, "." + id + ".sig"));
        unlogged = unlogged || !bare.empty();
      }
      if (!shared_used && check(shared, key, &out).ok()) {
        shared_used = true;
        out.signers.push_back(id);
      }
    }
    // A shared file that is of no pinned key is an error of its own: what is wrong with it is said for the first key.
    if (!shared_used) {
      Found nothing;
      TRY(named(check(shared, policy_.signers.front(), &nothing), "the file without a key's id"));
    }
    if (unlogged && out.signers.size() < policy_.threshold) {
      return named(fail(Code::transparency_missing, "signed.unlogged"), "a signature").error();
    }
    return out;
  }

 private:
  bool logged() const { return !policy_.logs.empty(); }

  Status named(Status status, const std::string& what) const {
    if (!status.ok() && problem_ != nullptr) {
      *problem_ = "signature of " + what + (problem_->empty() ? "" : ": " + *problem_);
    }
    return status;
  }

  Status check(Bytes file, const PublicKey& key, Found* out) const {
    if (!logged()) {
      TRY_LET(std::vector<uint8_t> der, signature_of(file));
      Status valid = verify_ecdsa_der(key.point, digest_, der);
      if (!valid.ok()) return fail(Code::reference_signature, "signed.verify");
      return success();
    }
    TRY_LET(LogEntry entry, LogEntry::parse(file.text(), problem_));
    TRY_LET(LoggedSignature logged, verify_entry(entry, policy_.logs, key, digest_));
    if (logged.integrated_time > out->logged_at) out->logged_at = logged.integrated_time;
    return success();
  }

  Bytes document_;
  const Digest32& digest_;
  const SignatureSource& files_;
  const TrustPolicy& policy_;
  std::string* problem_;
};
}  // namespace

Result<TrustPolicy> TrustPolicy::parse(std::string_view json, std::string* problem) {
  constexpr Code kCode = Code::trust_malformed;
  if (problem != nullptr) problem->clear();
  Result<Json> document = parse_json(json, kMaxTrustPolicy, 6);
  if (!document.ok()) {
    if (problem != nullptr) *problem = "is not JSON of at most 32 KiB";
    return fail(kCode, "trust.json");
  }
  JsonObject root(*document, kCode, "", problem);
  TRY(root.members({"cstl", "name", "threshold", "signers", "logs"}));
  TRY(root.literal("cstl", "reference-trust/1"));
  TrustPolicy out;
  TRY_LET(out.name, root.text("name", kMaxName));
  if (!plain_name(out.name)) return root.wrong("name", "must be of a-z 0-9 . _ -");
  TRY_LET(const Json* signers, root.member("signers"));
  if (!signers->is_array() || signers->empty() || signers->size() > kMaxSigners) {
    return root.wrong("signers", "is not a list of 1 to 16 keys");
  }
  for (const Json& value : *signers) {
    JsonObject signer(value, kCode, "signers.", problem);
    TRY(signer.members({"key"}));
    TRY_LET(PublicKey key, key_of(signer, "key"));
    if (known_key(out.signers, key)) return signer.wrong("key", "is there twice");
    out.signers.push_back(std::move(key));
  }
  if (!root.has("threshold")) return root.wrong("threshold", "is missing");
  TRY_LET(int64_t threshold, root.number("threshold", 1, 1, static_cast<int64_t>(out.signers.size())));
  out.threshold = static_cast<unsigned>(threshold);
  if (!root.has("logs")) return out;
  TRY_LET(const Json* logs, root.member("logs"));
  if (!logs->is_array() || logs->size() > kMaxLogs) return root.wrong("logs", "is not a list of at most 8 logs");
  for (const Json& value : *logs) {
    JsonObject entry(value, kCode, "logs.", problem);
    TRY(entry.members({"key", "origin"}));
    TransparencyLog log;
    TRY_LET(log.key, key_of(entry, "key"));
    TRY_LET(log.origin, entry.optional_text("origin", kMaxOrigin));
    for (const TransparencyLog& other : out.logs) {
      if (equal(other.key.spki, log.key.spki)) return entry.wrong("key", "is there twice");
    }
    out.logs.push_back(std::move(log));
  }
  return out;
}

std::string TrustPolicy::to_json() const {
  Json keys = Json::array();
  for (const PublicKey& key : signers) keys.push_back({{"key", to_base64(key.spki)}});
  Json root = {{"cstl", "reference-trust/1"}, {"name", name}, {"threshold", threshold}, {"signers", std::move(keys)}};
  for (const TransparencyLog& log : logs) {
    Json entry = {{"key", to_base64(log.key.spki)}};
    if (!log.origin.empty()) entry["origin"] = log.origin;
    root["logs"].push_back(std::move(entry));
  }
  return root.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

Result<std::string> signer_id(const PublicKey& key) {
  TRY_LET(Digest32 digest, sha256({key.spki}));
  return to_hex(digest).substr(0, kIdDigits);
}

Result<SignedReference> open_signed(Bytes document, const SignatureSource& files, const TrustPolicy& policy,
                                    const SeenReference& seen, int64_t now, std::string* problem) {
  std::string scratch;
  std::string* place = problem != nullptr ? problem : &scratch;
  place->clear();
  if (policy.signers.empty() || policy.threshold == 0 || policy.threshold > policy.signers.size()) {
    return fail(Code::trust_malformed, "signed.policy");
  }
  TRY_LET(Digest32 digest, sha256({document}));
  TRY_LET(Found found, Counter(document, digest, files, policy, place).count());
  if (found.signers.size() < policy.threshold) {
    *place = std::to_string(found.signers.size()) + " of the " + std::to_string(policy.threshold) + " needed";
    return fail(Code::reference_unsigned, "signed.threshold");
  }
  place->clear();

  SignedReference out;
  TRY_LET(out.values, ReferenceValues::parse(document.text(), now, place));
  if (out.values.name != policy.name) {
    *place = out.values.name.empty() ? "the document has no name" : "the document's name is " + out.values.name;
    return fail(Code::reference_name, "signed.name");
  }
  if (out.values.version == 0 || out.values.expires == 0) {
    *place = "a signed document needs a version and a time at which it expires";
    return fail(Code::reference_malformed, "signed.version");
  }
  if (out.values.version < seen.version) {
    *place = "version " + std::to_string(out.values.version) + ", but " + std::to_string(seen.version) + " was seen";
    return fail(Code::reference_rollback, "signed.older");
  }
  if (out.values.version == seen.version && digest != seen.document) {
    *place = "another document of version " + std::to_string(seen.version) + " was seen";
    return fail(Code::reference_rollback, "signed.differs");
  }
  out.seen = SeenReference{out.values.version, digest};
  out.signers = std::move(found.signers);
  out.logged_at = found.logged_at;
  return out;
}

Result<std::string> sign_document(Bytes document, const SigningKey& key) {
  TRY_LET(Digest32 digest, sha256({document}));
  TRY_LET(P256Signature signature, key.sign(digest));
  return to_base64(ecdsa_der(signature)) + "\n";
}

}  // namespace cstl
