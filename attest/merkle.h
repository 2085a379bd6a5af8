// RFC 6962 (2.1) Merkle trees over pending aTLS bindings, so that one slow TPM quote serves many waiting sessions.
// Leaf hash SHA-256(0x00 ‖ binding), node hash SHA-256(0x01 ‖ left ‖ right). At most 65536 leaves.
#pragma once

#include <vector>

#include "crypto/hash.h"

namespace cstl {

constexpr size_t kMaxMerkleLeaves = 65536;

struct MerklePath {
  uint32_t index = 0;
  uint32_t size = 0;
  Bytes nodes;  // 32 bytes per level, leaf upwards; borrowed

  // u32 index, u32 size, nodes. Errors: merkle_path (index ≥ size, size 0 or too large, path length wrong), truncated.
  static Result<MerklePath> decode(Bytes input);
};

// Root of all leaves; leaves.size() in 1..65536. Errors: merkle_path, crypto_failed.
Result<Digest32> merkle_root(const std::vector<Digest32>& leaves);
// Encoded MerklePath (index, size, nodes) of leaf `index`.
Result<std::vector<uint8_t>> merkle_proof(const std::vector<Digest32>& leaves, size_t index);

// All levels of one tree, for whoever needs many proofs of it: building hashes each node once.
class MerkleTree {
 public:
  // leaves.size() in 1..65536. Errors: merkle_path, crypto_failed.
  static Result<MerkleTree> build(const std::vector<Digest32>& leaves);
  const Digest32& root() const { return levels_.back().front(); }
  size_t size() const { return levels_.front().size(); }
  // Encoded MerklePath of leaf `index`. Errors: merkle_path (no such leaf).
  Result<std::vector<uint8_t>> proof(size_t index) const;

 private:
  MerkleTree() = default;
  std::vector<std::vector<Digest32>> levels_;  // leaf hashes first, the root last
};

// Recomputes the root that `path` claims for `leaf`. Errors: merkle_path. The size only says how the path climbs, it is not
// hashed: two sizes of the same shape around a leaf give the same root.
Result<Digest32> merkle_root_of(const MerklePath& path, const Digest32& leaf);

// The quote's qualifying data: SHA-256("cstl-quote-1" ‖ root).
Result<Digest32> quote_qualifier(const Digest32& root);

}  // namespace cstl
