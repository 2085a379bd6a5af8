// A memory of signatures that were verified: of certificates and CRLs, which come again with every machine of a vendor.
//
// That a signature is by a key is true forever, so nothing here expires; validity, revocation, names and path rules are
// judged anew each time. An entry matches only if algorithm, key, digest of the message and signature are all equal, byte
// for byte. Only good signatures are kept; at most kEntries (about 80 KiB), the oldest of them forgotten first, so that a
// peer with many certificates costs time and nothing else. One per thread; public data only.
#pragma once

#include "crypto/public_key.h"

namespace cstl {

class VerifiedSignatures {
 public:
  static constexpr size_t kEntries = 64;
  static VerifiedSignatures& of_this_thread();

  bool contains(const PublicKey& key, const SignatureAlgorithm& algorithm, Bytes digest, Bytes signature) const;
  void add(const PublicKey& key, const SignatureAlgorithm& algorithm, Bytes digest, Bytes signature);
  void clear();
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    SignatureAlgorithm algorithm;
    std::vector<uint8_t> spki, digest, signature;
  };
  std::vector<Entry> entries_;
  size_t next_ = 0;
};

}  // namespace cstl
