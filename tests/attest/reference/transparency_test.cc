#include "attest/reference/transparency.h"

#include <doctest/doctest.h>

#include <functional>

#include "crypto/base/base64.h"
#include "crypto/key_file.h"
#include "tests/harness/transparency_log.h"

using namespace cstl;

namespace {
Digest32 digest(const char* hex) {
  Digest32 out{};
  REQUIRE(from_hex(hex, out).ok());
  return out;
}

std::vector<uint8_t> bytes(const char* hex) {
  std::vector<uint8_t> out(std::char_traits<char>::length(hex) / 2);
  REQUIRE(from_hex(hex, out).ok());
  return out;
}

// The key of rekor.sigstore.dev, as its operators publish it.
PublicKey public_log_key() {
  return *parse_public_key(*from_base64(
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+"
      "RYtw==",
      200));
}

// Entry 2842832428 of that log: someone's signature over the five bytes "probe", made in 2026.
LogEntry public_entry() {
  LogEntry out;
  std::string body =
      R"({"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":")"
      "ba9c736f19e7f60b7f6764adb0b7908c0a2b394e09b6c09863528c7f2bc86095"
      R"("}},"signature":{"content":")"
      "MEYCIQDiMUSFT3Yl5qNpCtBwp74qe8cXZNjrZ2/Ke7OeEndMCgIhAI6yS6hNDQZ0ywmuCt61GF5tLim0aF/Rk1IDwiv8bRoK"
      R"(","publicKey":{"content":")"
      "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFcEpp"
      "OW5wVFpJVDc5S2NPNzIySXNTeHRQUS9jVAo5bElxemZnNmIrV2hkM0tjaGxnMDdNMEFJVHVCZXVydE04WEx3UmpF"
      "QkwrNzRFWVd5eTZFYWJ5dWR3PT0KLS0tLS1FTkQgUFVCTElDIEtFWS0tLS0tCg=="
      R"("}}}})";
  out.body = Bytes(body).copy();
  out.integrated_time = 1789463462;
  out.log_id = digest("c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d");
  out.log_index = 2842832428;
  out.timestamp = *from_base64(
      "MEUCICBaRNbf/BvUqA+Zvgbb5KpKNnjLpj6qfuy2OwfEYvbCAiEAmsEXNvwBHsPB5JPs+/8fps84U6wu1X9W3Ot5CfRhFVs=", 80);
  out.leaf_index = 2720928166;
  out.tree_size = 2720928182;
  out.root = digest("da8cdc9749086d2baf439cdcc4fac344b2a9ef97de6407a2eba34ee516fcad60");
  out.hashes = {digest("bb14e5dd13a312c025d143b3dcf51279ff8bbfbd1147ff203ac26dc4cb94f966")};
  out.checkpoint =
      "rekor.sigstore.dev - 1193050959916656506\n2720928182\n2ozcl0kIbSuvQ5zcxPrDRLKp75feZAei66NO5Rb8rWA=\n\n"
      "\xe2\x80\x94 rekor.sigstore.dev wNI9ajBGAiEAnXYnFk74mIscH+XMjRR/ecozEq+lw5cn/ug25yoX/cMCIQCjAOcGM7V2QcX6Oh9k2oLpZp01"
      "TqvwndGBLAvzGVOPKA==\n";
  return out;
}

struct Signed {
  SigningKey signer = make_key();
  TestLog log;
  std::string document = "{\"a\": 1}\n";
  LogEntry entry = log.entry(log.add(signer, Bytes(document)));

  Code verify(const LogEntry& subject) const {
    return verify_entry(subject, {log.trusted()}, public_half(signer), *sha256({Bytes(document)})).code();
  }
};
}  // namespace

TEST_CASE("proofs of every leaf of every small tree lead to its root, as RFC 6962 defines both") {
  std::vector<std::vector<uint8_t>> leaves;
  for (size_t size = 1; size <= 33; ++size) {
    leaves.push_back({static_cast<uint8_t>(size), 7});
    Digest32 root = merkle_tree_hash(leaves);
    for (size_t index = 0; index < size; ++index) {
      CAPTURE(size);
      CAPTURE(index);
      std::vector<Digest32> path = audit_path(index, leaves);
      Digest32 leaf = *leaf_hash(leaves[index]);
      auto seen = inclusion_root(leaf, index, size, path);
      REQUIRE(seen.ok());
      CHECK(*seen == root);
      // One hash too few or too many is no proof, and another place gives another root.
      path.push_back(root);
      CHECK(inclusion_root(leaf, index, size, path).code() == Code::transparency_proof);
      path.pop_back();
      if (!path.empty()) {
        path.pop_back();
        CHECK(inclusion_root(leaf, index, size, path).code() == Code::transparency_proof);
        path = audit_path(index, leaves);
        auto elsewhere = inclusion_root(leaf, index ^ 1, size, path);
        CHECK((!elsewhere.ok() || *elsewhere != root));
      }
    }
    CHECK(inclusion_root(Digest32{}, size, size, {}).code() == Code::transparency_proof);
  }
}

TEST_CASE("the eight leaves of Certificate Transparency's own tests have their published root") {
  std::vector<std::vector<uint8_t>> leaves;
  for (const char* leaf : {"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                           "606162636465666768696a6b6c6d6e6f"}) {
    leaves.push_back(bytes(leaf));
  }
  const char* root = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
  for (size_t i = 0; i < leaves.size(); ++i) {
    auto seen = inclusion_root(*leaf_hash(leaves[i]), i, leaves.size(), audit_path(i, leaves));
    REQUIRE(seen.ok());
    CHECK(to_hex(*seen) == root);
  }
}

TEST_CASE("a timestamp and a checkpoint of the public log verify; a proof that was shortened does not") {
  LogEntry entry = public_entry();
  PublicKey key = public_log_key();
  CHECK(*sha256({key.spki}) == entry.log_id);
  // The second half of the entry's UUID, 108e9186e8c5677ab3349b84….
  CHECK(to_hex(*leaf_hash(entry.body)) == "b3349b84a96c6e933b7afbfee46c0b9a632a3184ac2d250a509c6ff5a8cd2902");
  auto payload = sha256({Bytes(timestamp_payload(entry))});
  CHECK(verify_ecdsa_der(key.point, *payload, entry.timestamp).ok());
  TransparencyLog log{key, "rekor.sigstore.dev"};
  auto checkpoint = Checkpoint::verify(entry.checkpoint, log);
  REQUIRE(checkpoint.ok());
  CHECK(checkpoint->size == entry.tree_size);
  CHECK(checkpoint->root == entry.root);
  CHECK(checkpoint->origin == "rekor.sigstore.dev - 1193050959916656506");
  // The recorded proof has one of its hashes only.
  CHECK(verify_entry(entry, {log}, key, *sha256({Bytes("probe")})).code() == Code::transparency_proof);
}

TEST_CASE("an entry of a log of our own verifies, in both forms") {
  Signed s;
  for (const std::string& text : {s.log.bundle(s.entry), s.log.api_answer(s.entry)}) {
    std::string problem;
    auto entry = LogEntry::parse(text, &problem);
    REQUIRE_MESSAGE(entry.ok(), problem);
    auto logged = verify_entry(*entry, {s.log.trusted()}, public_half(s.signer), *sha256({Bytes(s.document)}));
    REQUIRE(logged.ok());
    CHECK(logged->integrated_time == 1790000000);
    CHECK(logged->log_index == s.entry.log_index);
  }
}

TEST_CASE("each lie about an entry is refused with its own code") {
  Signed s;
  SigningKey other = make_key();
  struct Row {
    const char* name;
    std::function<void(LogEntry&)> lie;
    Code code;
  };
  const Row rows[] = {
      {"another log", [](LogEntry& e) { e.log_id[0] ^= 1; }, Code::transparency_key},
      {"another time", [](LogEntry& e) { ++e.integrated_time; }, Code::transparency_signature},
      {"another index", [](LogEntry& e) { ++e.log_index; }, Code::transparency_signature},
      {"another body", [](LogEntry& e) { e.body[3] ^= 1; }, Code::transparency_signature},
      {"no timestamp", [](LogEntry& e) { e.timestamp.clear(); }, Code::transparency_signature},
      {"the size in the checkpoint", [](LogEntry& e) { e.checkpoint[e.checkpoint.find("\n") + 1] = '8'; },
       Code::transparency_signature},
      {"a checkpoint without a signature", [](LogEntry& e) { e.checkpoint.resize(e.checkpoint.find("\n\n") + 2); },
       Code::transparency_signature},
      {"a checkpoint that is cut", [](LogEntry& e) { e.checkpoint.pop_back(); }, Code::transparency_malformed},
      {"another root than the checkpoint's", [](LogEntry& e) { e.root[0] ^= 1; }, Code::transparency_proof},
      {"another size than the checkpoint's", [](LogEntry& e) { ++e.tree_size; }, Code::transparency_proof},
      {"another leaf", [](LogEntry& e) { e.leaf_index ^= 1; }, Code::transparency_proof},
      {"a leaf beyond the tree", [](LogEntry& e) { e.leaf_index = e.tree_size; }, Code::transparency_proof},
      {"another hash", [](LogEntry& e) { e.hashes[0][5] ^= 1; }, Code::transparency_proof},
      {"a hash too few", [](LogEntry& e) { e.hashes.pop_back(); }, Code::transparency_proof},
      {"a hash too many", [](LogEntry& e) { e.hashes.push_back(e.root); }, Code::transparency_proof},
  };
  CHECK(s.verify(s.entry) == Code::ok);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    LogEntry entry = s.entry;
    row.lie(entry);
    CHECK(s.verify(entry) == row.code);
  }
  // What the log holds is true, but not about this document, or not by this key.
  CHECK(verify_entry(s.entry, {s.log.trusted()}, public_half(s.signer), *sha256({Bytes("other")})).code() ==
        Code::transparency_entry);
  CHECK(verify_entry(s.entry, {s.log.trusted()}, public_half(other), *sha256({Bytes(s.document)})).code() ==
        Code::transparency_entry);
  LogEntry foreign = s.log.entry(0);  // not of kind hashedrekord
  CHECK(s.verify(foreign) == Code::transparency_entry);
  TransparencyLog renamed = s.log.trusted();
  renamed.origin = "log.exampl";
  CHECK(verify_entry(s.entry, {renamed}, public_half(s.signer), *sha256({Bytes(s.document)})).code() ==
        Code::transparency_signature);
  CHECK(verify_entry(s.entry, {}, public_half(s.signer), *sha256({Bytes(s.document)})).code() == Code::transparency_key);
}

TEST_CASE("a bundle whose own signature or digest differ from the logged ones is refused") {
  Signed s;
  auto entry = LogEntry::parse(s.log.bundle(s.entry), nullptr);
  REQUIRE(entry.ok());
  LogEntry changed = *entry;
  changed.message_signature.back() ^= 1;
  CHECK(s.verify(changed) == Code::transparency_entry);
  changed = *entry;
  changed.message_digest[0] ^= 1;
  CHECK(s.verify(changed) == Code::transparency_entry);
}

TEST_CASE("an entry whose logged signature is another key's is refused, even though the log took it") {
  Signed s;
  SigningKey other = make_key();
  // A log that does not check signatures would store this.
  std::string body(Bytes(s.entry.body).text());
  std::string theirs = to_base64(ecdsa_der(*other.sign(*sha256({Bytes(s.document)}))));
  size_t at = body.find("\"content\":\"") + 11;
  body = body.substr(0, at) + theirs + body.substr(body.find('"', at));
  TestLog careless;
  LogEntry entry = s.entry;
  entry.body = Bytes(body).copy();
  entry.log_id = *sha256({p256_spki(careless.key().point())});
  entry.leaf_index = 0;
  entry.tree_size = 1;
  entry.hashes.clear();
  entry.root = *leaf_hash(entry.body);
  std::string note = "log.example - 1\n1\n" + to_base64(entry.root) + "\n";
  std::vector<uint8_t> blob(entry.log_id.begin(), entry.log_id.begin() + 4);
  std::vector<uint8_t> signature = ecdsa_der(*careless.key().sign(*sha256({Bytes(note)})));
  blob.insert(blob.end(), signature.begin(), signature.end());
  entry.checkpoint = note + "\n\xe2\x80\x94 log.example " + to_base64(blob) + "\n";
  entry.timestamp = ecdsa_der(*careless.key().sign(*sha256({Bytes(timestamp_payload(entry))})));
  CHECK(verify_entry(entry, {careless.trusted()}, public_half(s.signer), *sha256({Bytes(s.document)})).code() ==
        Code::transparency_entry);
}

TEST_CASE("no bit of a bundle may be flipped, and nothing cut off") {
  Signed s;
  const std::string text = s.log.bundle(s.entry);
  size_t accepted = 0;
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string changed = text;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    auto entry = LogEntry::parse(changed, nullptr);
    if (!entry.ok() || s.verify(*entry) != Code::ok) continue;
    ++accepted;
    // What may differ is said by nobody's signature: names of members that are not read, and what they hold.
    bool unread = false;
    for (const char* member : {"\"hint\":\"test\"", "\"publicKey\":{", "\"kindVersion\":{\"kind\":\"hashedrekord\","
                               "\"version\":\"0.0.1\"}"}) {
      size_t at = text.find(member);
      unread = unread || (at != std::string::npos && bit / 8 >= at &&
                          bit / 8 < at + std::char_traits<char>::length(member));
    }
    // A version of the media type that is read as well.
    unread = unread || text.compare(0, text.find(','), changed, 0, text.find(',')) != 0;
    CHECK_MESSAGE(unread, "byte " << bit / 8 << " of " << text.substr(bit / 8, 20));
  }
  CHECK(accepted > 0);  // the list above is no wish
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK(LogEntry::parse(text.substr(0, size), nullptr).code() == Code::transparency_malformed);
  }
}

TEST_CASE("a bundle that lacks a part of the log's word is refused by name") {
  Signed s;
  struct Row {
    const char* member;
    Code code;
  };
  for (const Row& row : {Row{"tlogEntries", Code::transparency_missing}, Row{"inclusionPromise", Code::transparency_missing},
                         Row{"inclusionProof", Code::transparency_missing}, Row{"checkpoint", Code::transparency_missing},
                         Row{"logId", Code::transparency_malformed}, Row{"canonicalizedBody", Code::transparency_malformed},
                         Row{"messageSignature", Code::transparency_malformed}}) {
    CAPTURE(row.member);
    std::string text = s.log.bundle(s.entry);
    std::string quoted = "\"" + std::string(row.member) + "\"";
    text.replace(text.find(quoted), quoted.size(), "\"unread\"");
    std::string problem;
    CHECK(LogEntry::parse(text, &problem).code() == row.code);
    CHECK(problem.find(row.member) != std::string::npos);
  }
  for (const char* bad : {"", "[]", "{}", "{\"a\":1}", "{\"mediaType\":\"x\"}", "{\"mediaType\":1}"}) {
    CAPTURE(bad);
    CHECK(LogEntry::parse(bad, nullptr).code() == Code::transparency_malformed);
  }
}
