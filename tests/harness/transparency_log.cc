#include "tests/harness/transparency_log.h"

#include <nlohmann/json.hpp>

#include "crypto/base/base64.h"
#include "crypto/key_file.h"

namespace cstl {

namespace {
using Json = nlohmann::json;
using Leaves = std::vector<std::vector<uint8_t>>;

// The largest power of two below n.
size_t split(size_t n) {
  size_t k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

Digest32 hash_with(uint8_t prefix, Bytes a, Bytes b) {
  const uint8_t head[] = {prefix};
  return *sha256({Bytes(head, 1), a, b});
}

Digest32 tree(const Leaves& d, size_t from, size_t to) {
  if (to - from == 1) return hash_with(0, d[from], Bytes());
  size_t k = split(to - from);
  return hash_with(1, tree(d, from, from + k), tree(d, from + k, to));
}

void path(size_t m, const Leaves& d, size_t from, size_t to, std::vector<Digest32>& out) {
  if (to - from == 1) return;
  size_t k = split(to - from);
  if (m < k) {
    path(m, d, from, from + k, out);
    out.push_back(tree(d, from + k, to));
  } else {
    path(m - k, d, from + k, to, out);
    out.push_back(tree(d, from, from + k));
  }
}
}  // namespace

Digest32 merkle_tree_hash(const Leaves& leaves) { return tree(leaves, 0, leaves.size()); }

std::vector<Digest32> audit_path(size_t index, const Leaves& leaves) {
  std::vector<Digest32> out;
  path(index, leaves, 0, leaves.size(), out);
  return out;
}

SigningKey make_key() {
  auto key = SigningKey::generate();
  return std::move(*key);
}

PublicKey public_half(const SigningKey& key) { return *parse_public_key(p256_spki(key.point())); }

TestLog::TestLog(std::string origin) : key_(make_key()), origin_(std::move(origin)) {}

TransparencyLog TestLog::trusted() const { return TransparencyLog{public_half(key_), origin_}; }

std::vector<uint8_t> TestLog::sign(Bytes message) const { return ecdsa_der(*key_.sign(*sha256({message}))); }

size_t TestLog::add(const SigningKey& signer, Bytes document, size_t before, size_t after) {
  auto other = [&](size_t i) {
    std::string text = "another entry " + std::to_string(bodies_.size() + i);
    bodies_.push_back(Bytes(text).copy());
  };
  for (size_t i = 0; i < before; ++i) other(i);
  Digest32 digest = *sha256({document});
  // What Rekor stores is canonical JSON: members in this order, no spaces.
  Json body = {{"apiVersion", "0.0.1"},
               {"kind", "hashedrekord"},
               {"spec",
                {{"data", {{"hash", {{"algorithm", "sha256"}, {"value", to_hex(digest)}}}}},
                 {"signature",
                  {{"content", to_base64(ecdsa_der(*signer.sign(digest)))},
                   {"publicKey", {{"content", to_base64(Bytes(public_key_pem(signer.point())))}}}}}}}};
  std::string text = body.dump();
  bodies_.push_back(Bytes(text).copy());
  size_t index = bodies_.size() - 1;
  for (size_t i = 0; i < after; ++i) other(i);
  return index;
}

LogEntry TestLog::entry(size_t index) const {
  LogEntry out;
  out.body = bodies_[index];
  out.integrated_time = 1790000000;
  out.log_id = *sha256({p256_spki(key_.point())});
  out.log_index = static_cast<int64_t>(index) + 4000000000;  // an older shard came before
  out.leaf_index = index;
  out.tree_size = bodies_.size();
  out.root = merkle_tree_hash(bodies_);
  out.hashes = audit_path(index, bodies_);
  std::string note = origin_ + " - 77\n" + std::to_string(out.tree_size) + "\n" + to_base64(out.root) + "\n";
  std::vector<uint8_t> blob(out.log_id.begin(), out.log_id.begin() + 4);
  std::vector<uint8_t> signature = sign(Bytes(note));
  blob.insert(blob.end(), signature.begin(), signature.end());
  out.checkpoint = note + "\n\xe2\x80\x94 " + origin_ + " " + to_base64(blob) + "\n";
  out.timestamp = sign(Bytes(timestamp_payload(out)));
  return out;
}

std::string TestLog::bundle(const LogEntry& entry) const {
  Json record = Json::parse(Bytes(entry.body).text(), nullptr, false);
  Json hashes = Json::array();
  for (const Digest32& hash : entry.hashes) hashes.push_back(to_base64(hash));
  Digest32 digest{};
  (void)from_hex(record["spec"]["data"]["hash"]["value"].get<std::string>(), digest);  // it is the log's own entry
  Json document = {
      {"mediaType", "application/vnd.dev.sigstore.bundle.v0.3+json"},
      {"verificationMaterial",
       {{"publicKey", {{"hint", "test"}}},
        {"tlogEntries",
         {{{"logIndex", std::to_string(entry.log_index)},
           {"logId", {{"keyId", to_base64(entry.log_id)}}},
           {"kindVersion", {{"kind", "hashedrekord"}, {"version", "0.0.1"}}},
           {"integratedTime", std::to_string(entry.integrated_time)},
           {"inclusionPromise", {{"signedEntryTimestamp", to_base64(entry.timestamp)}}},
           {"inclusionProof",
            {{"logIndex", std::to_string(entry.leaf_index)},
             {"rootHash", to_base64(entry.root)},
             {"treeSize", std::to_string(entry.tree_size)},
             {"hashes", hashes},
             {"checkpoint", {{"envelope", entry.checkpoint}}}}},
           {"canonicalizedBody", to_base64(entry.body)}}}}}},
      {"messageSignature",
       {{"messageDigest", {{"algorithm", "SHA2_256"}, {"digest", to_base64(digest)}}},
        {"signature", record["spec"]["signature"]["content"]}}}};
  return document.dump();
}

std::string TestLog::api_answer(const LogEntry& entry) const {
  Json hashes = Json::array();
  for (const Digest32& hash : entry.hashes) hashes.push_back(to_hex(hash));
  Json value = {{"body", to_base64(entry.body)},
                {"integratedTime", entry.integrated_time},
                {"logID", to_hex(entry.log_id)},
                {"logIndex", entry.log_index},
                {"verification",
                 {{"inclusionProof",
                   {{"checkpoint", entry.checkpoint},
                    {"hashes", hashes},
                    {"logIndex", entry.leaf_index},
                    {"rootHash", to_hex(entry.root)},
                    {"treeSize", entry.tree_size}}},
                  {"signedEntryTimestamp", to_base64(entry.timestamp)}}}};
  Json document = Json::object();
  document["24296fb24b8ad77a"] = value;
  return document.dump();
}

}  // namespace cstl
