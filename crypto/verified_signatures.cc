#include "crypto/verified_signatures.h"

namespace cstl {

VerifiedSignatures& VerifiedSignatures::of_this_thread() {
  thread_local VerifiedSignatures memory;
  return memory;
}

bool VerifiedSignatures::contains(const PublicKey& key, const SignatureAlgorithm& algorithm, Bytes digest,
                                  Bytes signature) const {
  for (const Entry& entry : entries_) {
    if (equal(entry.signature, signature) && equal(entry.digest, digest) && equal(entry.spki, key.spki) &&
        entry.algorithm.scheme == algorithm.scheme && entry.algorithm.hash == algorithm.hash &&
        entry.algorithm.salt == algorithm.salt) {
      return true;
    }
  }
  return false;
}

void VerifiedSignatures::add(const PublicKey& key, const SignatureAlgorithm& algorithm, Bytes digest, Bytes signature) {
  Entry entry{algorithm, key.spki, digest.copy(), signature.copy()};
  if (entries_.size() < kEntries) {
    entries_.push_back(std::move(entry));
    return;
  }
  entries_[next_] = std::move(entry);
  next_ = (next_ + 1) % kEntries;
}

void VerifiedSignatures::clear() {
  entries_.clear();
  next_ = 0;
}

}  // namespace cstl
