#include "attest/merkle.h"

namespace cstl {

namespace {
Result<Digest32> leaf_hash(const Digest32& binding) {
  constexpr std::array<uint8_t, 1> kLeaf{0x00};
  return sha256({kLeaf, binding});
}

Result<Digest32> node_hash(Bytes left, Bytes right) {
  constexpr std::array<uint8_t, 1> kNode{0x01};
  return sha256({kNode, left, right});
}

// Levels at which the leaf has a sibling.
size_t path_length(uint32_t index, uint32_t size) {
  size_t length = 0;
  uint32_t last = size - 1;
  for (; last > 0; index >>= 1, last >>= 1) {
    if ((index & 1) != 0 || index < last) ++length;
  }
  return length;
}
}  // namespace

Result<MerklePath> MerklePath::decode(Bytes input) {
  Reader r(input);
  MerklePath path;
  TRY_LET(path.index, r.u32());
  TRY_LET(path.size, r.u32());
  if (path.size == 0 || path.size > kMaxMerkleLeaves || path.index >= path.size) {
    return fail(Code::merkle_path, "merkle.index");
  }
  if (r.remaining() != 32 * path_length(path.index, path.size)) return fail(Code::merkle_path, "merkle.length");
  TRY_LET(path.nodes, r.bytes(r.remaining()));
  return path;
}

Result<MerkleTree> MerkleTree::build(const std::vector<Digest32>& leaves) {
  if (leaves.empty() || leaves.size() > kMaxMerkleLeaves) return fail(Code::merkle_path, "merkle.leaves");
  MerkleTree tree;
  std::vector<Digest32> level;
  level.reserve(leaves.size());
  for (const Digest32& leaf : leaves) {
    TRY_LET(Digest32 hash, leaf_hash(leaf));
    level.push_back(hash);
  }
  // Pairing level by level, an odd last node moving up as it is, gives the tree that RFC 6962 defines by splitting.
  while (level.size() > 1) {
    std::vector<Digest32> above;
    above.reserve((level.size() + 1) / 2);
    for (size_t i = 0; i + 1 < level.size(); i += 2) {
      TRY_LET(Digest32 hash, node_hash(level[i], level[i + 1]));
      above.push_back(hash);
    }
    if (level.size() % 2 != 0) above.push_back(level.back());
    tree.levels_.push_back(std::move(level));
    level = std::move(above);
  }
  tree.levels_.push_back(std::move(level));
  return tree;
}

Result<std::vector<uint8_t>> MerkleTree::proof(size_t index) const {
  size_t leaves = levels_.front().size();
  if (index >= leaves) return fail(Code::merkle_path, "merkle.index");
  std::vector<uint8_t> out(8 + 32 * levels_.size());
  Writer w(out);
  w.u32(static_cast<uint32_t>(index));
  w.u32(static_cast<uint32_t>(leaves));
  for (const std::vector<Digest32>& level : levels_) {
    if ((index ^ 1) < level.size() && level.size() > 1) w.bytes(level[index ^ 1]);
    index >>= 1;
  }
  TRY_LET(Bytes done, w.finish());
  out.resize(done.size());
  return out;
}

Result<Digest32> merkle_root(const std::vector<Digest32>& leaves) {
  TRY_LET(MerkleTree tree, MerkleTree::build(leaves));
  return tree.root();
}

Result<std::vector<uint8_t>> merkle_proof(const std::vector<Digest32>& leaves, size_t index) {
  TRY_LET(MerkleTree tree, MerkleTree::build(leaves));
  return tree.proof(index);
}

Result<Digest32> merkle_root_of(const MerklePath& path, const Digest32& leaf) {
  if (path.size == 0 || path.size > kMaxMerkleLeaves || path.index >= path.size) {
    return fail(Code::merkle_path, "merkle.index");
  }
  TRY_LET(Digest32 hash, leaf_hash(leaf));
  Reader nodes(path.nodes);
  uint32_t index = path.index;
  for (uint32_t last = path.size - 1; last > 0; index >>= 1, last >>= 1) {
    bool right = (index & 1) != 0;
    if (!right && index == last) continue;
    if (nodes.remaining() < 32) return fail(Code::merkle_path, "merkle.length");
    TRY_LET(Bytes sibling, nodes.bytes(32));
    TRY_LET(hash, right ? node_hash(sibling, hash) : node_hash(hash, sibling));
  }
  if (nodes.remaining() != 0) return fail(Code::merkle_path, "merkle.length");
  return hash;
}

Result<Digest32> quote_qualifier(const Digest32& root) { return sha256({"cstl-quote-1", root}); }

}  // namespace cstl
