// A transparency log of our own for tests: a key, leaves, and the bundles that it gives out. Written from the definitions of
// RFC 6962 (2.1 and 2.1.1), not from the verifier's algorithm.
#pragma once

#include <string>
#include <vector>

#include "attest/reference/transparency.h"

namespace cstl {

// MTH(D[n]) and PATH(m, D[n]) as RFC 6962 defines them, by recursion.
Digest32 merkle_tree_hash(const std::vector<std::vector<uint8_t>>& leaves);
std::vector<Digest32> audit_path(size_t index, const std::vector<std::vector<uint8_t>>& leaves);

class TestLog {
 public:
  explicit TestLog(std::string origin = "log.example");
  const SigningKey& key() const { return key_; }
  TransparencyLog trusted() const;

  // Adds other entries, then one of `signer` over `document`, then others; its index is given back.
  size_t add(const SigningKey& signer, Bytes document, size_t before = 5, size_t after = 3);
  // The entry as it is now, with a proof to the present tree.
  LogEntry entry(size_t index) const;
  // As cosign writes it (media type 0.3), or as Rekor's API answers.
  std::string bundle(const LogEntry& entry) const;
  std::string api_answer(const LogEntry& entry) const;

 private:
  std::vector<uint8_t> sign(Bytes message) const;
  SigningKey key_;
  std::string origin_;
  std::vector<std::vector<uint8_t>> bodies_;
};

SigningKey make_key();
// The key of a SigningKey as a verifier sees it.
PublicKey public_half(const SigningKey& key);

}  // namespace cstl
