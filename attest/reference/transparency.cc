#include "attest/reference/transparency.h"

#include "crypto/base/base64.h"
#include "crypto/base/json_object.h"
#include "crypto/key_file.h"

namespace cstl {

namespace {
using Json = nlohmann::json;
constexpr size_t kMaxDerSignature = 80;   // SEQUENCE of two INTEGERs of P-256
constexpr size_t kKeyHint = 4;
constexpr std::string_view kSignatureLine = "\xe2\x80\x94 ";  // U+2014 and a space

Error malformed(const char* site) { return fail(Code::transparency_malformed, site); }

// Sigstore writes 64-bit numbers as JSON strings, Rekor as numbers; both are in decimal and not negative.
Result<int64_t> number_of(const JsonObject& object, const char* name) {
  TRY_LET(const Json* value, object.member(name));
  if (!value->is_string()) return object.number(name, 0, 0, INT64_MAX);
  TRY_LET(std::string_view text, object.text(name, 19));
  int64_t out = 0;
  for (char c : text) {
    if (c < '0' || c > '9' || out > (INT64_MAX - (c - '0')) / 10) return object.wrong(name, "is not a number");
    out = out * 10 + (c - '0');
  }
  return out;
}

Result<std::vector<uint8_t>> base64_of(const JsonObject& object, const char* name, size_t max) {
  TRY_LET(std::string_view text, object.text(name, (max + 2) / 3 * 4));
  Result<std::vector<uint8_t>> out = from_base64(text, max);
  if (!out.ok()) return object.wrong(name, "is not base64");
  return out;
}

Status digest_of(const JsonObject& object, const char* name, bool hex, Digest32* out) {
  if (hex) return object.hex(name, *out);
  TRY_LET(std::vector<uint8_t> bytes, base64_of(object, name, out->size()));
  if (bytes.size() != out->size()) return object.wrong(name, "is not a SHA-256");
  std::memcpy(out->data(), bytes.data(), out->size());
  return success();
}

Error missing(const JsonObject& object, const char* name) {
  (void)object.wrong(name, "is missing");  // for its text
  return fail(Code::transparency_missing, "transparency.member");
}

Status parse_proof(const Json& value, bool hex, LogEntry* out, std::string* problem) {
  JsonObject proof(value, Code::transparency_malformed, "inclusionProof.", problem);
  TRY_LET(int64_t index, number_of(proof, "logIndex"));
  TRY_LET(int64_t size, number_of(proof, "treeSize"));
  out->leaf_index = static_cast<uint64_t>(index);
  out->tree_size = static_cast<uint64_t>(size);
  TRY(digest_of(proof, "rootHash", hex, &out->root));
  if (proof.has("hashes")) {
    TRY_LET(const Json* hashes, proof.member("hashes"));
    if (!hashes->is_array() || hashes->size() > kMaxInclusionHashes) return proof.wrong("hashes", "is not a short list");
    for (const Json& hash : *hashes) {
      Json wrapped = {{"hash", hash}};
      JsonObject entry(wrapped, Code::transparency_malformed, "inclusionProof.hashes.", problem);
      Digest32 digest{};
      TRY(digest_of(entry, "hash", hex, &digest));
      out->hashes.push_back(digest);
    }
  }
  if (!proof.has("checkpoint")) return missing(proof, "checkpoint");
  TRY_LET(const Json* checkpoint, proof.member("checkpoint"));
  JsonObject envelope(*checkpoint, Code::transparency_malformed, "checkpoint.", problem);
  TRY_LET(std::string_view note, checkpoint->is_string() ? proof.text("checkpoint", kMaxCheckpoint)
                                                         : envelope.text("envelope", kMaxCheckpoint));
  out->checkpoint = note;
  return success();
}

// {"UUID": {"body", "integratedTime", "logID", "logIndex", "verification": {…}}}
Result<LogEntry> parse_rekor(const Json& document, std::string* problem) {
  LogEntry out;
  if (document.size() != 1) return malformed("transparency.entries");
  JsonObject entry(document.begin().value(), Code::transparency_malformed, "", problem);
  TRY_LET(out.body, base64_of(entry, "body", kMaxEntryBody));
  TRY_LET(out.integrated_time, number_of(entry, "integratedTime"));
  TRY(entry.hex("logID", out.log_id));
  TRY_LET(out.log_index, number_of(entry, "logIndex"));
  if (!entry.has("verification")) return missing(entry, "verification");
  TRY_LET(const Json* value, entry.member("verification"));
  JsonObject verification(*value, Code::transparency_malformed, "verification.", problem);
  if (!verification.has("signedEntryTimestamp")) return missing(verification, "signedEntryTimestamp");
  TRY_LET(out.timestamp, base64_of(verification, "signedEntryTimestamp", kMaxDerSignature));
  if (!verification.has("inclusionProof")) return missing(verification, "inclusionProof");
  TRY_LET(const Json* proof, verification.member("inclusionProof"));
  TRY(parse_proof(*proof, true, &out, problem));
  return out;
}

Result<LogEntry> parse_bundle(const Json& document, std::string* problem) {
  LogEntry out;
  JsonObject bundle(document, Code::transparency_malformed, "", problem);
  TRY_LET(const Json* material_value, bundle.member("verificationMaterial"));
  JsonObject material(*material_value, Code::transparency_malformed, "verificationMaterial.", problem);
  if (!material.has("tlogEntries")) return missing(material, "tlogEntries");
  TRY_LET(const Json* entries, material.member("tlogEntries"));
  if (!entries->is_array()) return material.wrong("tlogEntries", "is not a list");
  if (entries->empty()) return missing(material, "tlogEntries");
  if (entries->size() > 1) return material.wrong("tlogEntries", "has more than one entry");
  JsonObject entry(entries->front(), Code::transparency_malformed, "tlogEntries.", problem);
  TRY_LET(out.log_index, number_of(entry, "logIndex"));
  TRY_LET(const Json* id, entry.member("logId"));
  TRY(digest_of(JsonObject(*id, Code::transparency_malformed, "logId.", problem), "keyId", false, &out.log_id));
  if (entry.has("integratedTime")) {
    TRY_LET(out.integrated_time, number_of(entry, "integratedTime"));
  }
  TRY_LET(out.body, base64_of(entry, "canonicalizedBody", kMaxEntryBody));
  if (!entry.has("inclusionPromise")) return missing(entry, "inclusionPromise");
  TRY_LET(const Json* promise, entry.member("inclusionPromise"));
  JsonObject timestamp(*promise, Code::transparency_malformed, "inclusionPromise.", problem);
  TRY_LET(out.timestamp, base64_of(timestamp, "signedEntryTimestamp", kMaxDerSignature));
  if (!entry.has("inclusionProof")) return missing(entry, "inclusionProof");
  TRY_LET(const Json* proof, entry.member("inclusionProof"));
  TRY(parse_proof(*proof, false, &out, problem));

  TRY_LET(const Json* message_value, bundle.member("messageSignature"));
  JsonObject message(*message_value, Code::transparency_malformed, "messageSignature.", problem);
  TRY_LET(out.message_signature, base64_of(message, "signature", kMaxDerSignature));
  TRY_LET(const Json* digest_value, message.member("messageDigest"));
  JsonObject digest(*digest_value, Code::transparency_malformed, "messageDigest.", problem);
  TRY(digest.literal("algorithm", "SHA2_256"));
  TRY_LET(out.message_digest, base64_of(digest, "digest", 32));
  return out;
}

// {"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm","value"}},"signature":{"content",
// "publicKey":{"content"}}}}
struct HashedRekord {
  Digest32 document{};
  std::vector<uint8_t> signature;
  std::vector<uint8_t> key;  // PEM
};

Result<HashedRekord> parse_body(Bytes body) {
  constexpr Code kCode = Code::transparency_entry;
  HashedRekord out;
  Result<Json> parsed = parse_json(body.text(), kMaxEntryBody, 8);
  if (!parsed.ok()) return fail(kCode, "transparency.body");
  JsonObject root(*parsed, kCode, "", nullptr);
  TRY(root.members({"apiVersion", "kind", "spec"}));
  TRY(root.literal("kind", "hashedrekord"));
  TRY(root.literal("apiVersion", "0.0.1"));
  TRY_LET(const Json* spec_value, root.member("spec"));
  JsonObject spec(*spec_value, kCode, "", nullptr);
  TRY(spec.members({"data", "signature"}));
  TRY_LET(const Json* data_value, spec.member("data"));
  JsonObject data(*data_value, kCode, "", nullptr);
  TRY(data.members({"hash"}));
  TRY_LET(const Json* hash_value, data.member("hash"));
  JsonObject hash(*hash_value, kCode, "", nullptr);
  TRY(hash.members({"algorithm", "value"}));
  TRY(hash.literal("algorithm", "sha256"));
  TRY(hash.hex("value", out.document));
  TRY_LET(const Json* signature_value, spec.member("signature"));
  JsonObject signature(*signature_value, kCode, "", nullptr);
  TRY(signature.members({"content", "publicKey"}));
  TRY_LET(out.signature, base64_of(signature, "content", kMaxDerSignature));
  TRY_LET(const Json* key_value, signature.member("publicKey"));
  JsonObject key(*key_value, kCode, "", nullptr);
  TRY(key.members({"content"}));
  TRY_LET(out.key, base64_of(key, "content", kMaxKeyFile));
  return out;
}

Result<Digest32> node_hash(const Digest32& left, const Digest32& right) {
  static constexpr uint8_t kNode[] = {1};
  return sha256({Bytes(kNode, sizeof kNode), left, right});
}

// The line up to the next newline, which is consumed.
Result<std::string_view> take_line(std::string_view* text) {
  size_t end = text->find('\n');
  if (end == std::string_view::npos) return malformed("checkpoint.line");
  std::string_view line = text->substr(0, end);
  text->remove_prefix(end + 1);
  return line;
}
}  // namespace

Result<LogEntry> LogEntry::parse(std::string_view json, std::string* problem) {
  if (problem != nullptr) problem->clear();
  Result<Json> document = parse_json(json, kMaxTransparencyFile, 12);
  if (!document.ok() || !document->is_object()) {
    if (problem != nullptr) *problem = "is not a JSON object of at most 128 KiB";
    return malformed("transparency.json");
  }
  JsonObject root(*document, Code::transparency_malformed, "", problem);
  if (!root.has("mediaType")) return parse_rekor(*document, problem);
  TRY_LET(std::string_view type, root.text("mediaType", 64));
  for (const char* known : {"application/vnd.dev.sigstore.bundle.v0.3+json",
                            "application/vnd.dev.sigstore.bundle+json;version=0.3",
                            "application/vnd.dev.sigstore.bundle+json;version=0.2",
                            "application/vnd.dev.sigstore.bundle+json;version=0.1"}) {
    if (type == known) return parse_bundle(*document, problem);
  }
  return root.wrong("mediaType", "is not that of a Sigstore bundle");
}

Result<Digest32> leaf_hash(Bytes body) {
  static constexpr uint8_t kLeaf[] = {0};
  return sha256({Bytes(kLeaf, sizeof kLeaf), body});
}

Result<Digest32> inclusion_root(const Digest32& leaf, uint64_t index, uint64_t size,
                                const std::vector<Digest32>& hashes) {
  if (index >= size) return fail(Code::transparency_proof, "transparency.index");
  Digest32 node = leaf;
  uint64_t last = size - 1;
  for (const Digest32& sibling : hashes) {
    if (last == 0) return fail(Code::transparency_proof, "transparency.too_many");
    if ((index & 1) != 0 || index == last) {
      TRY_LET(node, node_hash(sibling, node));
      // At the right edge, levels without a sibling are climbed without a hash.
      while ((index & 1) == 0 && index != 0) {
        index >>= 1;
        last >>= 1;
      }
    } else {
      TRY_LET(node, node_hash(node, sibling));
    }
    index >>= 1;
    last >>= 1;
  }
  if (last != 0) return fail(Code::transparency_proof, "transparency.too_few");
  return node;
}

std::string timestamp_payload(const LogEntry& entry) {
  return "{\"body\":\"" + to_base64(entry.body) + "\",\"integratedTime\":" + std::to_string(entry.integrated_time) +
         ",\"logID\":\"" + to_hex(entry.log_id) + "\",\"logIndex\":" + std::to_string(entry.log_index) + "}";
}

Result<Checkpoint> Checkpoint::verify(std::string_view note, const TransparencyLog& log) {
  Checkpoint out;
  size_t blank = note.find("\n\n");
  if (note.size() > kMaxCheckpoint || blank == std::string_view::npos) return malformed("checkpoint.form");
  std::string_view text = note.substr(0, blank + 1);  // with its last newline: what is signed
  std::string_view signatures = note.substr(blank + 2);
  std::string_view rest = text;
  TRY_LET(out.origin, take_line(&rest));
  TRY_LET(std::string_view size, take_line(&rest));
  TRY_LET(std::string_view root, take_line(&rest));
  if (out.origin.empty() || size.empty() || size.size() > 19) return malformed("checkpoint.form");
  for (char c : size) {
    if (c < '0' || c > '9' || out.size > (UINT64_MAX - static_cast<uint64_t>(c - '0')) / 10) {
      return malformed("checkpoint.size");
    }
    out.size = out.size * 10 + static_cast<uint64_t>(c - '0');
  }
  Result<std::vector<uint8_t>> hash = from_base64(root, out.root.size());
  if (!hash.ok() || hash->size() != out.root.size()) return malformed("checkpoint.root");
  std::memcpy(out.root.data(), hash->data(), out.root.size());

  TRY_LET(Digest32 id, sha256({log.key.spki}));
  TRY_LET(Digest32 digest, sha256({text}));
  while (!signatures.empty()) {
    TRY_LET(std::string_view line, take_line(&signatures));
    if (line.substr(0, kSignatureLine.size()) != kSignatureLine) return malformed("checkpoint.signature");
    size_t space = line.find(' ', kSignatureLine.size());
    if (space == std::string_view::npos) return malformed("checkpoint.signature");
    Result<std::vector<uint8_t>> blob = from_base64(line.substr(space + 1), kKeyHint + 512);
    if (!blob.ok() || blob->size() <= kKeyHint) return malformed("checkpoint.signature");
    std::string_view name = line.substr(kSignatureLine.size(), space - kSignatureLine.size());
    if (!log.origin.empty() && name != log.origin) continue;  // a witness's
    if (!equal(Bytes(*blob).first(kKeyHint), Bytes(id).first(kKeyHint))) continue;
    if (verify_ecdsa_der(log.key.point, digest, Bytes(*blob).skip(kKeyHint)).ok()) return out;
  }
  return fail(Code::transparency_signature, "checkpoint.signature");
}

Result<LoggedSignature> verify_entry(const LogEntry& entry, const std::vector<TransparencyLog>& logs,
                                     const PublicKey& signer, const Digest32& document) {
  const TransparencyLog* log = nullptr;
  for (const TransparencyLog& candidate : logs) {
    TRY_LET(Digest32 id, sha256({candidate.key.spki}));
    if (id == entry.log_id) log = &candidate;
  }
  if (log == nullptr || log->key.kind != KeyKind::p256) return fail(Code::transparency_key, "transparency.log");

  TRY_LET(Digest32 promised, sha256({timestamp_payload(entry)}));
  if (!verify_ecdsa_der(log->key.point, promised, entry.timestamp).ok()) {
    return fail(Code::transparency_signature, "transparency.timestamp");
  }
  TRY_LET(Checkpoint checkpoint, Checkpoint::verify(entry.checkpoint, *log));
  if (!log->origin.empty()) {
    std::string prefix = log->origin + " - ";
    if (checkpoint.origin != log->origin && checkpoint.origin.substr(0, prefix.size()) != prefix) {
      return fail(Code::transparency_key, "transparency.origin");
    }
  }
  if (checkpoint.root != entry.root || checkpoint.size != entry.tree_size) {
    return fail(Code::transparency_proof, "transparency.checkpoint");
  }
  TRY_LET(Digest32 leaf, leaf_hash(entry.body));
  TRY_LET(Digest32 root, inclusion_root(leaf, entry.leaf_index, entry.tree_size, entry.hashes));
  if (root != entry.root) return fail(Code::transparency_proof, "transparency.root");

  TRY_LET(HashedRekord record, parse_body(entry.body));
  if (record.document != document) return fail(Code::transparency_entry, "transparency.document");
  Result<PublicKey> key = p256_key_from_pem(record.key);
  if (!key.ok() || !equal(key->spki, signer.spki)) return fail(Code::transparency_entry, "transparency.signer");
  if (!verify_ecdsa_der(signer.point, document, record.signature).ok()) {
    return fail(Code::transparency_entry, "transparency.signature");
  }
  bool own = entry.message_signature.empty() && entry.message_digest.empty();
  if (!own && (!equal(entry.message_signature, record.signature) || !equal(entry.message_digest, document))) {
    return fail(Code::transparency_entry, "transparency.message");
  }
  LoggedSignature out;
  out.signature = std::move(record.signature);
  out.integrated_time = entry.integrated_time;
  out.log_index = entry.log_index;
  return out;
}

}  // namespace cstl
