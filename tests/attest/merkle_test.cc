#include "attest/merkle.h"

#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;

namespace {
std::vector<Digest32> leaves(size_t count) {
  std::vector<Digest32> out(count);
  for (size_t i = 0; i < count; ++i) {
    out[i].fill(static_cast<uint8_t>(i));
    out[i][0] = static_cast<uint8_t>(i >> 8);
  }
  return out;
}

// RFC 6962, 2.1, word by word: the definition that the code must agree with.
Digest32 defined_root(const Digest32* first, size_t count) {
  if (count == 1) return *sha256({Buffer{0}, *first});
  size_t k = 1;
  while (k * 2 < count) k *= 2;
  return *sha256({Buffer{1}, defined_root(first, k), defined_root(first + k, count - k)});
}

Result<Digest32> climb(const Buffer& path, const Digest32& leaf) {
  TRY_LET(MerklePath decoded, MerklePath::decode(path));
  return merkle_root_of(decoded, leaf);
}
}  // namespace

TEST_CASE("merkle: every leaf of every tree up to 40 proves the root that RFC 6962 defines") {
  for (size_t count = 1; count <= 40; ++count) {
    std::vector<Digest32> all = leaves(count);
    Result<Digest32> root = merkle_root(all);
    REQUIRE(root.ok());
    CHECK(*root == defined_root(all.data(), count));
    for (size_t i = 0; i < count; ++i) {
      Result<Buffer> proof = merkle_proof(all, i);
      REQUIRE(proof.ok());
      Result<Digest32> again = climb(*proof, all[i]);
      REQUIRE(again.ok());
      CHECK(*again == *root);
      Result<Digest32> other = climb(*proof, all[(i + 1) % count]);
      if (count > 1) CHECK((other.ok() && *other != *root));
    }
  }
}

TEST_CASE("merkle: the largest tree works, a larger one and none are refused") {
  Result<MerkleTree> tree = MerkleTree::build(leaves(kMaxMerkleLeaves));
  REQUIRE(tree.ok());
  Result<Buffer> proof = tree->proof(kMaxMerkleLeaves - 1);
  REQUIRE(proof.ok());
  CHECK(proof->size() == 8 + kMaxMerklePath);
  CHECK(*climb(*proof, leaves(kMaxMerkleLeaves).back()) == tree->root());
  CHECK(tree->proof(kMaxMerkleLeaves).code() == Code::merkle_path);
  CHECK(merkle_root(leaves(kMaxMerkleLeaves + 1)).code() == Code::merkle_path);
  CHECK(merkle_root({}).code() == Code::merkle_path);
}

TEST_CASE("merkle: a damaged path is refused or leads to another root") {
  std::vector<Digest32> all = leaves(11);
  Digest32 root = *merkle_root(all);
  for (size_t i = 0; i < all.size(); ++i) {
    Buffer proof = *merkle_proof(all, i);
    each_damage(proof, [&](const Buffer& damaged, const std::string& what) {
      INFO(i, " ", what);
      // The size is not hashed: it only steers. A size of the same shape proves the same leaf under the same root.
      bool same_nodes = damaged.size() == proof.size() && std::equal(damaged.begin() + 8, damaged.end(), proof.begin() + 8) &&
                        std::equal(damaged.begin(), damaged.begin() + 4, proof.begin());
      Result<Digest32> got = climb(damaged, all[i]);
      CHECK((!got.ok() || *got != root || same_nodes));
      if (damaged.size() != proof.size()) {
        CHECK((got.code() == Code::merkle_path || got.code() == Code::truncated));
      }
    });
  }
}

TEST_CASE("merkle: each rule of the path's form") {
  struct Row {
    const char* name;
    Buffer path;
    Code code;
  };
  Buffer long_lone(8 + 32);
  long_lone[7] = 1;
  const Row rows[] = {
      {"a lone leaf", {0, 0, 0, 0, 0, 0, 0, 1}, Code::ok},
      {"index beyond", {0, 0, 0, 1, 0, 0, 0, 1}, Code::merkle_path},
      {"size 0", {0, 0, 0, 0, 0, 0, 0, 0}, Code::merkle_path},
      {"size too large", {0, 0, 0, 0, 0, 1, 0, 1}, Code::merkle_path},
      {"a node too many", long_lone, Code::merkle_path},
      {"a node too few", {0, 0, 0, 0, 0, 0, 0, 2}, Code::merkle_path},
      {"cut", {0, 0, 0, 0, 0, 0, 0}, Code::truncated},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    CHECK(MerklePath::decode(row.path).code() == row.code);
  }
}

TEST_CASE("merkle: a tree that another program made proves its leaf") {
  Buffer path = load("tpm/tree-merkle.bin");
  Result<Digest32> root = climb(path, test_binding());
  REQUIRE(root.ok());
  std::vector<Digest32> all(5);
  for (size_t i = 0; i < all.size(); ++i) all[i].fill(static_cast<uint8_t>(0xa0 + i));
  all[3] = test_binding();
  CHECK(*root == *merkle_root(all));
  CHECK(*merkle_proof(all, 3) == path);
}
