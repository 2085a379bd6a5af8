// An entry of a transparency log (Rekor v1) that says: this key's signature over this document was logged. Verified offline
// with a pinned log key, failing closed: the signed entry timestamp, the checkpoint and the inclusion proof must all hold.
//
// Two forms are read: a Sigstore bundle (JSON, media types 0.1 to 0.3; `cosign sign-blob --bundle`), and the answer of Rekor's
// API (GET /api/v1/log/entries/UUID). Only entries of kind hashedrekord 0.0.1 whose signer is a plain public key, only logs
// with an ECDSA P-256 key. Rekor v2 logs sign checkpoints with Ed25519 and promise no timestamp: refused (transparency_key).
// Certificates of Fulcio are not followed: signers are pinned by key.
//
// Parsing allocates (JSON), is bounded, and checks form only; verify_entry() checks the rest. No I/O, no clock.
#pragma once

#include <string>
#include <vector>

#include "crypto/public_key.h"

namespace cstl {

constexpr size_t kMaxTransparencyFile = 128 * 1024;
constexpr size_t kMaxEntryBody = 32 * 1024;
constexpr size_t kMaxCheckpoint = 4096;
constexpr size_t kMaxInclusionHashes = 63;

// One entry as it was parsed; nothing of it is verified.
struct LogEntry {
  std::vector<uint8_t> body;           // canonical JSON: what the log's leaf is
  int64_t integrated_time = 0;         // Unix seconds, by the log's clock
  Digest32 log_id{};                   // SHA-256 of the log's SubjectPublicKeyInfo
  int64_t log_index = 0;               // over all shards of the log: part of the timestamp
  std::vector<uint8_t> timestamp;      // signed entry timestamp: DER
  uint64_t leaf_index = 0;             // within the tree of the checkpoint
  uint64_t tree_size = 0;
  Digest32 root{};
  std::vector<Digest32> hashes;        // leaf upwards
  std::string checkpoint;              // a signed note
  // Of a Sigstore bundle: its own copy of the signature and of the document's SHA-256; empty otherwise.
  std::vector<uint8_t> message_signature;
  std::vector<uint8_t> message_digest;

  // Of either form. Errors: transparency_malformed, transparency_missing (a bundle without an entry, timestamp, proof or
  // checkpoint). On error `problem` (may be null) names the member.
  static Result<LogEntry> parse(std::string_view json, std::string* problem);
};

// A log that is trusted: an ECDSA P-256 key, and the name that its checkpoints must begin with (their origin is
// "NAME - TREE"); empty: any.
struct TransparencyLog {
  PublicKey key;
  std::string origin;
};

// What the log vouches for, once it is verified.
struct LoggedSignature {
  std::vector<uint8_t> signature;      // DER, over the document, by the signer's key; verified
  int64_t integrated_time = 0;
  int64_t log_index = 0;
};

// That one of `logs` holds the entry, and that the entry is a signature of `signer` over the document with this SHA-256.
// Errors: transparency_key (no such log pinned), transparency_signature (timestamp, checkpoint), transparency_proof (the
// proof, or root and size differ from the checkpoint's), transparency_entry (another kind, document or key; a signature that
// does not verify).
Result<LoggedSignature> verify_entry(const LogEntry& entry, const std::vector<TransparencyLog>& logs,
                                     const PublicKey& signer, const Digest32& document);

// The steps, for tests with published values.
// RFC 9162, 2.1.3.2 (the trees of RFC 6962): the root that the proof gives for a leaf hash. Errors: transparency_proof.
Result<Digest32> inclusion_root(const Digest32& leaf, uint64_t index, uint64_t size, const std::vector<Digest32>& hashes);
// RFC 6962, 2.1: SHA-256(0x00 ‖ body).
Result<Digest32> leaf_hash(Bytes body);
// What the timestamp signs: RFC 8785 JSON of body, integratedTime, logID, logIndex.
std::string timestamp_payload(const LogEntry& entry);

struct Checkpoint {
  std::string_view origin;             // borrowed
  uint64_t size = 0;
  Digest32 root{};
  // C2SP tlog-checkpoint and signed-note, with the signature of this log: its name (unless that is empty), the hint of its
  // key's id, ECDSA over SHA-256. Errors: transparency_malformed, transparency_signature.
  static Result<Checkpoint> verify(std::string_view note, const TransparencyLog& log);
};

}  // namespace cstl
